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

/// Whether a REST API is described there without the responses and integrations of its methods, so that each must be
/// asked for (fakecloud 0.51.0).
pub fn hides_responses(emulator: Emulator) -> bool {
    emulator == Emulator::Fakecloud
}

/// Whether API Gateway's resources are shown in every region there, whatever region they were made in (fakecloud 0.51.0).
pub fn gateways_span_regions(emulator: Emulator) -> bool {
    emulator == Emulator::Fakecloud
}

/// Whether a patch of API Gateway sets what its path names to the value as it is there, and knows nothing of what lies
/// in it (ministack 1.5.33: an element added to a list makes an object of the list).
pub fn patches_whole_attributes(emulator: Emulator) -> bool {
    emulator == Emulator::Ministack
}

/// Whether the version of a REST API is not its own there: moto 5.2.5 says V1 of all.
pub fn makes_up_api_version(emulator: Emulator, version: Option<&str>) -> bool {
    emulator == Emulator::Moto && version == Some("V1")
}

/// Whether caches of API stages are encrypted there when nobody asked for it (moto 5.2.5).
pub fn encrypts_caches(emulator: Emulator) -> bool {
    emulator == Emulator::Moto
}

/// Whether an integration's response is taken there only with templates, be they none (moto 5.2.5).
pub fn wants_response_templates(emulator: Emulator) -> bool {
    emulator == Emulator::Moto
}

/// Whether listing the base paths of a domain name breaks down there when it has none (moto 5.2.5).
pub fn breaks_without_mappings(emulator: Emulator) -> bool {
    emulator == Emulator::Moto
}

/// Whether patches of usage plans are only carried out in part there, or break down (moto 5.2.5, LocalStack 2026.3.0 and
/// fakecloud 0.51.0).
pub fn patches_plans_in_part(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Moto | Emulator::LocalStack | Emulator::Fakecloud)
}

/// Whether API Gateway has a role to log as there that nobody gave it, `api-gw-cw-role` (LocalStack 2026.3.0).
pub fn has_own_gateway_role(emulator: Emulator) -> bool {
    emulator == Emulator::LocalStack
}

/// Whether settings of HTTP APIs come back there in two spellings, one of them capitalised (fakecloud 0.51.0).
pub fn spells_settings_twice(emulator: Emulator) -> bool {
    emulator == Emulator::Fakecloud
}

/// Whether models, deployments, route responses and authorizers of HTTP and WebSocket APIs are not listed there (moto
/// 5.2.5).
pub fn lists_few_of_http_apis(emulator: Emulator) -> bool {
    emulator == Emulator::Moto
}

/// Whether HTTP and WebSocket APIs have models there that are listed. Measured: ministack 1.5.33 has none.
pub fn has_http_api_models(emulator: Emulator) -> bool {
    !matches!(emulator, Emulator::Moto | Emulator::Ministack)
}

/// Whether there are links of HTTP APIs there. Measured: ministack 1.5.33 has none.
pub fn has_http_api_links(emulator: Emulator) -> bool {
    emulator != Emulator::Ministack
}

/// Whether EC2's resources are listed in every region there, whatever region they were made in (fakecloud 0.51.0).
pub fn networks_span_regions(emulator: Emulator) -> bool {
    emulator == Emulator::Fakecloud
}

/// Whether a default VPC has an internet gateway from the beginning (ministack 1.5.33 and fakecloud 0.51.0, as AWS; not
/// moto 5.2.5 and LocalStack 2026.3.0).
pub fn default_vpc_has_gateway(emulator: Emulator) -> bool {
    !matches!(emulator, Emulator::Moto | Emulator::LocalStack)
}

/// Whether its main route table leads to that from the beginning (not on ministack 1.5.33).
pub fn default_vpc_has_route_out(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Fakecloud | Emulator::Other)
}

/// What can't hang on a function's alias there, or on its version. moto 5.2.5 takes it for the function's, and fakecloud
/// 0.51.0 for that of a version that the alias leads to, drawn by lot where there are two.
pub fn passes_over_qualifier(emulator: Emulator, is_alias: bool) -> &'static [&'static str] {
    match emulator {
        Emulator::Moto => &["EventInvokeConfig", "FunctionUrlConfig"],
        Emulator::Fakecloud if is_alias => &["Policy"],
        _ => &[],
    }
}

/// Whether an alias that leads to two versions can only be made there, not changed to (LocalStack 2026.3.0 breaks down).
pub fn changes_no_alias_to_two(emulator: Emulator) -> bool {
    emulator == Emulator::LocalStack
}

/// Whether a function's first event invoke configuration stays the one that counts until it is deleted (moto 5.2.5).
pub fn keeps_first_invoke_config(emulator: Emulator) -> bool {
    emulator == Emulator::Moto
}

/// Whether a function's version gets the number after those that are there: after how many there are (moto 5.2.5), so
/// that a number is given out twice when one before was deleted, or after the highest (fakecloud 0.51.0).
pub fn numbers_functions_by_what_is_there(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Moto | Emulator::Fakecloud)
}

/// Whether the records of a stream do not stay where they are when its shards are split or merged. Measured: ministack
/// 1.5.33 drops them, moto 5.2.5 puts them into the new shards, LocalStack 2026.3.0 copies some of them there.
pub fn moves_records_when_resharded(emulator: Emulator) -> bool {
    !matches!(emulator, Emulator::Fakecloud | Emulator::Other)
}

/// Whether a closed shard's records may stand in its successor too (LocalStack 2026.3.0).
pub fn copies_records_when_resharded(emulator: Emulator) -> bool {
    emulator == Emulator::LocalStack
}

/// Whether consumers of streams have tags there. Measured: only fakecloud 0.51.0's; moto 5.2.5 breaks down over them.
pub fn has_consumer_tags(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Fakecloud | Emulator::Other)
}

/// Whether the size of a stream's records and its warm throughput can be changed there. Measured: only on fakecloud
/// 0.51.0; moto 5.2.5 breaks down over it.
pub fn has_record_sizes(emulator: Emulator) -> bool {
    matches!(emulator, Emulator::Fakecloud | Emulator::Other)
}

/// Whether there are composite alarms (moto 5.2.5 breaks down over them).
pub fn has_composite_alarms(emulator: Emulator) -> bool {
    emulator != Emulator::Moto
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
