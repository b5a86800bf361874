//! Progress bars on a terminal: one line per phase with amount, rate and time left.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

use crate::app::events::Unit;

/// What ends sooner shows no bar: a flicker tells nobody anything.
const PATIENCE: Duration = Duration::from_millis(500);

/// The bars below a command; silent unless standard error is a terminal.
pub(crate) struct Progress {
    bars: Option<MultiProgress>,
    phases: BTreeMap<String, ProgressBar>,
    start: Instant,
}

impl Progress {
    pub(crate) fn new(wanted: bool) -> Progress {
        let bars = (wanted && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Progress { bars, phases: BTreeMap::new(), start: Instant::now() }
    }

    /// Shows how far a phase is.
    pub(crate) fn update(&mut self, phase: &str, done: u64, total: Option<u64>, unit: Unit) {
        let Some(bars) = self.bars.as_ref().filter(|_| self.start.elapsed() >= PATIENCE) else { return };
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
        let print = || {
            // Where nobody listens any more, the command goes on all the same.
            let _ = writeln!(std::io::stderr(), "{line}");
        };
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
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
        (true, Unit::Items) => "{msg:12} {wide_bar} {human_pos}/{human_len} {rate} {eta}",
        (false, Unit::Bytes) => "{msg:12} {spinner} {bytes} {bytes_per_sec}",
        (false, Unit::Items) => "{msg:12} {spinner} {human_pos} {rate}",
    };
    let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
        let _ = write!(out, "{}/s", HumanCount(state.per_sec() as u64));
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("rate", rate)
}
