//! One run of the program: has a command carried out and shows what it says, as text or as JSON.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::app::daemon;
use crate::app::events::{Event, Events};
use crate::app::views::ConflictView;
use crate::app::{Context, Home, Journey};
use crate::cli::args::Consent;
use crate::cli::conflicts;
use crate::cli::document::Document;
use crate::cli::progress::Progress;
use crate::cli::style::{Paint, plain};
use crate::error::{Context as _, Error, Result};

/// How a command answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// Events, one JSON object a line, then the document.
    JsonLines,
}

/// What the global options say.
pub(crate) struct Session {
    /// The home's directory.
    pub(crate) directory: PathBuf,
    /// How commands answer.
    pub(crate) mode: Mode,
    /// No progress, messages and warnings.
    pub(crate) quiet: bool,
}

/// Standard output, and how it is painted.
pub(crate) struct Page {
    out: BufWriter<io::Stdout>,
    /// Colours as standard output wants them.
    pub(crate) paint: Paint,
}

impl Page {
    fn new() -> Page {
        Page { out: BufWriter::new(io::stdout()), paint: Paint::of(&io::stdout()) }
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Prints one row of a long answer.
pub(crate) type PrintRow<'a> = &'a mut (dyn FnMut(&mut Page, &str, Value) -> Result<()> + Send);

impl Session {
    /// The session that these options ask for.
    pub(crate) fn new(home: Option<PathBuf>, mode: Mode, quiet: bool) -> Result<Session> {
        let directory = home.map_or_else(Home::default_directory, Ok)?;
        Ok(Session { directory, mode, quiet })
    }

    /// Whether a person is there to be asked, and has not agreed beforehand.
    pub(crate) fn asks(&self, consent: &Consent) -> bool {
        !consent.yes && self.mode == Mode::Text && io::stdin().is_terminal() && io::stderr().is_terminal()
    }

    /// Asks a question that only `y` or `yes` answers, if there is somebody to ask. In a pipe what is said is meant.
    pub(crate) fn ask(&self, consent: &Consent, question: &str) -> Result<()> {
        if !self.asks(consent) {
            return Ok(());
        }
        let _ = write!(io::stderr(), "{question} [y/N] ");
        let mut answer = String::new();
        io::stdin().read_line(&mut answer).context("can't read the answer")?;
        match answer.trim() {
            "y" | "Y" | "yes" => Ok(()),
            _ => Err(Error::failed("not done; nothing was changed")),
        }
    }

    /// Carries out a journey, shows how it goes, and ends the document if there is to be one.
    pub(crate) async fn run<J: Journey>(&self, cx: Context, journey: J) -> Result<J::Outcome> {
        self.run_with_rows(cx, journey, &mut |_, _, _| Ok(())).await
    }

    /// Like [`Session::run`], with what prints the rows of the answer as text.
    pub(crate) async fn run_with_rows<J: Journey>(
        &self,
        cx: Context,
        journey: J,
        print: PrintRow<'_>,
    ) -> Result<J::Outcome> {
        let mut screen = Screen::new(self, print);
        let end = self.carry_out(cx, journey, &mut screen).await;
        screen.progress.clear();
        match end {
            Ok(reply) => {
                screen.end(&reply.document, J::ROWS)?;
                J::outcome(&reply)
            }
            Err(error) if screen.document_begun => {
                screen.end(&error.to_json(), &[])?;
                Err(Shown::mark(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Like [`Session::run`], but what it answers is not for the user's eyes yet: the plan before a question.
    pub(crate) async fn run_unseen<J: Journey>(&self, cx: Context, journey: J) -> Result<J::Outcome> {
        let mut nothing = |_: &mut Page, _: &str, _: Value| Ok(());
        let mut screen = Screen::new(self, &mut nothing);
        let end = self.carry_out(cx, journey, &mut screen).await;
        screen.progress.clear();
        J::outcome(&end?)
    }

    async fn carry_out<J: Journey>(
        &self,
        cx: Context,
        journey: J,
        screen: &mut Screen<'_>,
    ) -> Result<crate::app::Reply> {
        let stop = CancellationToken::new();
        let (events, mut said) = Events::channel(stop.clone());
        // One for the whole journey: a signal that comes while no one listens is lost.
        let mut interrupts = signal(SignalKind::interrupt()).context("can't listen for Ctrl-C")?;
        let (directory, request) = (self.directory.clone(), journey.into());
        // A task of its own, so that a journey that computes does not hold up what it says.
        let mut journey = tokio::spawn(async move { daemon::execute(&directory, cx, request, &events).await });
        let end = loop {
            tokio::select! {
                biased;
                Some(event) = said.recv() => {
                    screen.event(event)?;
                    while let Ok(event) = said.try_recv() {
                        screen.event(event)?;
                    }
                    screen.page.flush().map_err(unwritable)?;
                }
                end = &mut journey => break end,
                Some(()) = interrupts.recv() => {
                    if stop.is_cancelled() {
                        std::process::exit(130);
                    }
                    stop.cancel();
                    screen.progress.above("stopping safely; press Ctrl-C again to quit at once");
                }
            }
        };
        while let Ok(event) = said.try_recv() {
            screen.event(event)?;
        }
        end.context("peapod broke off")?
    }

    /// Prints a text answer; nothing in the JSON modes.
    pub(crate) fn text(&self, write: impl FnOnce(&mut Page) -> io::Result<()>) -> Result<()> {
        if self.mode != Mode::Text {
            return Ok(());
        }
        let mut page = Page::new();
        write(&mut page).and_then(|()| page.flush()).map_err(unwritable)
    }

    /// Prints the document of a command that is no journey; nothing as text.
    pub(crate) fn document(&self, document: &impl Serialize) -> Result<()> {
        if self.mode == Mode::Text {
            return Ok(());
        }
        let text = serde_json::to_string(document).context("can't write the document")?;
        writeln!(io::stdout(), "{text}").map_err(unwritable)
    }
}

/// Where what a journey says is shown.
struct Screen<'a> {
    mode: Mode,
    quiet: bool,
    page: Page,
    progress: Progress,
    document: Option<Document>,
    document_begun: bool,
    print: PrintRow<'a>,
}

impl<'a> Screen<'a> {
    fn new(session: &Session, print: PrintRow<'a>) -> Screen<'a> {
        Screen {
            mode: session.mode,
            quiet: session.quiet,
            page: Page::new(),
            progress: Progress::new(!session.quiet),
            document: (session.mode != Mode::Text).then(|| Document::new(session.mode == Mode::Json)),
            document_begun: false,
            print,
        }
    }

    fn event(&mut self, event: Event) -> Result<()> {
        let Event::Row { list, value } = event else {
            return self.remark(&event);
        };
        match &mut self.document {
            Some(document) => {
                self.document_begun |= self.mode == Mode::Json;
                document.row(&mut self.page, &list, &value).map_err(unwritable)
            }
            None => {
                self.progress.clear();
                (self.print)(&mut self.page, &list, value)
            }
        }
    }

    fn remark(&mut self, event: &Event) -> Result<()> {
        if self.mode == Mode::JsonLines {
            let text = serde_json::to_string(event).context("can't write an event")?;
            return writeln!(self.page, "{text}").map_err(unwritable);
        }
        let paint = Paint::of(&io::stderr());
        match event {
            _ if self.quiet => {}
            Event::Progress { phase, done, total, unit } => self.progress.update(phase, *done, *total, *unit),
            Event::Message { text } => self.progress.above(&plain(text)),
            Event::Warning { text } => self.progress.above(&format!("{} {}", paint.yellow("warning:"), plain(text))),
            Event::Row { .. } => {}
        }
        Ok(())
    }

    fn end(&mut self, rest: &Value, rows: &[&str]) -> Result<()> {
        let written = match self.document.take() {
            Some(document) => document.finish(&mut self.page, rest, rows),
            None => Ok(()),
        };
        written.and_then(|()| self.page.flush()).map_err(unwritable)
    }
}

/// The error of writing to standard output. Where its reader has gone, [`report`] keeps quiet about it.
pub(crate) fn unwritable(error: io::Error) -> Error {
    Error::failed("can't write the answer").because(error)
}

/// Marks an error that stands in the document already.
#[derive(Debug)]
struct Shown(Error);

impl Shown {
    fn mark(error: Error) -> Error {
        Error::new(error.kind(), error.message()).because(Shown(error))
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shown {}

/// Tells the user what failed and gives the exit code. A reader that went away early is no failure.
pub(crate) fn report(error: &Error, mode: Mode) -> u8 {
    let source = std::error::Error::source(error);
    let io_error = source.and_then(|source| source.downcast_ref::<io::Error>());
    if io_error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return 0;
    }
    if source.is_none_or(|source| source.downcast_ref::<Shown>().is_none()) {
        match mode {
            Mode::Text => explain(error),
            Mode::Json | Mode::JsonLines => {
                let _ = writeln!(io::stdout(), "{}", error.to_json());
            }
        }
    }
    error.kind().exit_code()
}

fn explain(error: &Error) {
    let paint = Paint::of(&io::stderr());
    let mut text = format!("{} {}\n", paint.red("error:"), plain(&error.chain()));
    let document = error.to_json();
    let unsettled = Vec::<ConflictView>::deserialize(&document["conflicts"]).unwrap_or_default();
    text.push_str(&conflicts::text(paint, &unsettled));
    for damage in document["damaged"].as_array().into_iter().flatten() {
        let field = |name: &str| plain(damage[name].as_str().unwrap_or_default());
        text.push_str(&format!("  {} {}  {}\n", field("kind"), field("name"), paint.dim(&field("reason"))));
    }
    if let Some(hint) = error.hint_text() {
        text.push_str(&format!("{} {}\n", paint.bold("hint:"), plain(hint)));
    }
    let _ = io::stderr().write_all(text.as_bytes());
}
