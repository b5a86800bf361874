//! Progress bars on a terminal: one line per phase with amount, rate and time left.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::app::events::Unit;

/// The bars below a command; silent unless standard error is a terminal.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    phases: BTreeMap<String, ProgressBar>,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Progress {
        let bars = (wanted && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Progress { bars, phases: BTreeMap::new() }
    }

    /// Shows how far a phase is.
    pub(crate) fn update(&mut self, phase: &str, done: u64, total: Option<u64>, unit: Unit) {
        let Some(bars) = &self.bars else { return };
        let bar = self.phases.entry(phase.to_owned()).or_insert_with(|| {
            let bar = bars.add(ProgressBar::no_length().with_message(phase.to_owned()));
            bar.set_style(style(total.is_some(), unit));
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        if let Some(total) = total
            && bar.length() != Some(total)
        {
            bar.set_style(style(true, unit));
            bar.set_length(total);
        }
        bar.set_position(done);
    }

    /// Prints a line above the bars, or just prints it.
    pub(crate) fn above(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }

    /// Takes the bars away.
    pub(crate) fn clear(&mut self) {
        self.phases.values().for_each(ProgressBar::finish_and_clear);
        self.phases.clear();
    }
}

fn style(total: bool, unit: Unit) -> ProgressStyle {
    let template = match (total, unit) {
        (true, Unit::Bytes) => "{msg:12} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        (true, Unit::Items) => "{msg:12} {wide_bar} {human_pos}/{human_len} {per_sec} {eta}",
        (false, Unit::Bytes) => "{msg:12} {spinner} {bytes} {bytes_per_sec}",
        (false, Unit::Items) => "{msg:12} {spinner} {human_pos} {per_sec}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
