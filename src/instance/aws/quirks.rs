//! Everything that is peculiar to one emulator, in one place, each with what was measured.

/// The makes of emulators that peapod knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Emulator {
    /// moto server.
    Moto,
    /// ministack.
    Ministack,
    /// LocalStack.
    LocalStack,
    /// fakecloud.
    Fakecloud,
    /// Anything else that speaks the public AWS API.
    Other,
}

impl Emulator {
    /// The name in [`crate::instance::Identity`] and in versions.
    pub fn name(self) -> &'static str {
        match self {
            Emulator::Moto => "moto",
            Emulator::Ministack => "ministack",
            Emulator::LocalStack => "localstack",
            Emulator::Fakecloud => "fakecloud",
            Emulator::Other => "aws-api",
        }
    }
}

/// What an update of a function passes over there, so that a function that shall differ in it is made anew. moto 5.2.5
/// answers such an update with success, and changes nothing.
pub fn ignored_by_function_update(emulator: Emulator) -> &'static [&'static str] {
    match emulator {
        Emulator::Moto => &["Architectures", "EphemeralStorage", "ImageConfig", "TracingConfig"],
        _ => &[],
    }
}

/// Whether setting some attributes of a queue takes its policy away unless it is among them (moto 5.2.5).
pub fn sqs_set_drops_policy(emulator: Emulator) -> bool {
    emulator == Emulator::Moto
}

/// What a rule keeps there when it is put again without it, so that it must be put empty to go (ministack 1.5.33).
pub fn kept_by_put_rule(emulator: Emulator) -> &'static [&'static str] {
    match emulator {
        Emulator::Ministack => &["Description", "RoleArn"],
        _ => &[],
    }
}

/// Whether PutPermission takes a policy only statement by statement there (ministack 1.5.33 passes over a whole one).
pub fn bus_policy_in_pieces(emulator: Emulator) -> bool {
    emulator == Emulator::Ministack
}

/// Whether a bus is listed in every region there, whatever region it was made in (fakecloud 0.51.0).
pub fn buses_span_regions(emulator: Emulator) -> bool {
    emulator == Emulator::Fakecloud
}

/// Whether UpdateEventBus is offered there. moto 5.2.5 breaks down over it, LocalStack 2026.3.0 does not have it.
pub fn updates_buses(emulator: Emulator) -> bool {
    !matches!(emulator, Emulator::Moto | Emulator::LocalStack)
}

/// Whether versions of state machines can be published and read there. moto 5.2.5 does not have them, fakecloud 0.51.0
/// publishes them but describes none.
pub fn has_state_machine_versions(emulator: Emulator) -> bool {
    !matches!(emulator, Emulator::Moto | Emulator::Fakecloud)
}

/// Emulators whose answer to GetObject counts the object's tags, so that no count means no tags. Measured: all four.
pub const GET_COUNTS_TAGS: &[Emulator] =
    &[Emulator::Moto, Emulator::Ministack, Emulator::LocalStack, Emulator::Fakecloud];

/// The same for HeadObject. Measured: ministack 1.5.33 leaves the count out there.
pub const HEAD_COUNTS_TAGS: &[Emulator] = &[Emulator::Moto, Emulator::LocalStack, Emulator::Fakecloud];

/// Whether topics there have data protection policies. Measured: ministack 1.5.33 does not know them, and moto 5.2.5
/// breaks down over them.
pub fn has_topic_protection(emulator: Emulator) -> bool {
    !matches!(emulator, Emulator::Ministack | Emulator::Moto)
}

/// Whether the redrive policy of a subscription can't be taken away again (LocalStack 2026.3.0 refuses an empty one).
pub fn subscription_keeps_redrive(emulator: Emulator) -> bool {
    emulator == Emulator::LocalStack
}

/// Whether a log group's key can be changed there. Measured: ministack 1.5.33, moto 5.2.5 and LocalStack 2026.3.0 take
/// one only with a new group.
pub fn changes_log_key(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Fakecloud | Emulator::Other)
}

/// Whether log groups there have data protection policies. Measured: only fakecloud 0.51.0's.
pub fn has_log_protection(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Fakecloud | Emulator::Other)
}

/// Whether a metric filter that is put again stands beside the one of its name (moto 5.2.5 and LocalStack 2026.3.0), so
/// that the one there must go first.
pub fn doubles_metric_filters(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Moto | Emulator::LocalStack)
}

/// Whether it breaks down when asked for pipes in this region, where none can be: moto 5.2.5 knows the regions in which
/// AWS had the service some time ago.
pub fn has_no_pipes_in(emulator: Emulator, region: &str) -> bool {
    const UNKNOWN: [&str; 8] = [
        "ap-east-2",
        "ap-southeast-4",
        "ap-southeast-5",
        "ap-southeast-6",
        "ap-southeast-7",
        "ca-west-1",
        "il-central-1",
        "mx-central-1",
    ];
    emulator == Emulator::Moto && UNKNOWN.contains(&region)
}
