//! An emulator with boto3's hands and eyes: what the tests put into it and see in it never passes through peapod.

use serde_json::Value;

use crate::common::emulators::{self, Emulator, Make};

/// What the scripts have at hand.
const HANDS: &str = include_str!("hands.py");

/// A running emulator.
pub struct Cloud {
    pub emulator: Emulator,
    pub url: String,
}

impl Cloud {
    /// Starts one; none where it or boto3 is lacking, which is said.
    pub fn start(make: Make) -> Option<Cloud> {
        if !emulators::has_boto3() {
            return None;
        }
        let emulator = Emulator::start(make)?;
        Some(Cloud { url: emulator.url.clone(), emulator })
    }

    /// Starts a ministack.
    pub fn ministack() -> Option<Cloud> {
        Self::start(Make::Ministack)
    }

    /// Runs a script.
    pub fn py(&self, script: &str) {
        self.emulator.boto3(&format!("{HANDS}\n{script}"));
    }

    /// What an expression of the script's language is.
    pub fn see(&self, expression: &str) -> Value {
        self.look(&format!("print(json.dumps({expression}))"))
    }

    /// What a script prints.
    pub fn look(&self, script: &str) -> Value {
        serde_json::from_str(&self.emulator.boto3(&format!("{HANDS}\n{script}"))).unwrap()
    }

    /// Everything in it, for telling whether it changed.
    pub fn state(&self) -> Value {
        self.see("state()")
    }
}
