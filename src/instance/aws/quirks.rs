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
