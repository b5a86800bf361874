//! The layers of the source, kept by force: who may use whom, what stays pure, and no cycles among a folder's modules.
//!
//! It reads the source as text: every path that begins with `crate`, `super`, `self` or an external crate's name, `use`
//! trees included. Test modules are left out: they may borrow from anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What each layer may use, beside itself, `error` and `limits`. DESIGN's order: nothing points back.
const LAYERS: [(&str, &[&str]); 11] = [
    ("error", &[]),
    ("limits", &[]),
    ("core", &[]),
    ("tree", &["core"]),
    ("store", &["core", "tree"]),
    ("sync", &["core", "tree"]),
    ("instance", &["core", "tree"]),
    ("net", &["core", "sync"]),
    ("app", &["core", "tree", "store", "sync", "instance", "net"]),
    ("cli", &["app", "core"]),
    ("main", &["cli"]),
];

/// What the pure layers may not touch: files, sockets, clocks, threads, runtimes, random sources.
const IMPURE: [&[&str]; 17] = [
    &["std", "fs"],
    &["std", "net"],
    &["std", "os"],
    &["std", "env"],
    &["std", "process"],
    &["std", "thread"],
    &["std", "time", "SystemTime"],
    &["std", "time", "Instant"],
    &["std", "time", "UNIX_EPOCH"],
    &["tokio"],
    &["tokio_util"],
    &["rand"],
    &["getrandom"],
    &["tempfile"],
    &["reqwest"],
    &["redb"],
    &["libp2p"],
];

/// One source file, as the module it is.
struct Source {
    file: PathBuf,
    /// `[app, commit]` for `src/app/commit.rs`; `[app]` for `src/app/mod.rs`.
    module: Vec<String>,
    /// Whether other modules may stand below it in a folder of its name.
    is_folder: bool,
    tokens: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    collect(&root, &root, &mut sources);
    assert!(sources.len() > 20, "the source is not where this test looks");
    sources
}

fn collect(root: &Path, folder: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let inside = path.strip_prefix(root).unwrap().with_extension("");
            let mut module: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let is_folder = module.last().is_some_and(|last| last == "mod" || last == "lib");
            if is_folder {
                module.pop();
            }
            let tokens = without_tests(tokens(&fs::read_to_string(&path).unwrap()));
            sources.push(Source { file: path, module, is_folder, tokens });
        }
    }
}

/// Identifiers and punctuation; no comments, no text in quotes.
fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let (mut tokens, mut i) = (Vec::new(), 0);
    while i < chars.len() {
        let c = chars[i];
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && chars[i] != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            i += 2;
            while i < chars.len() && !(chars[i] == '*' && at(i + 1) == '/') {
                i += 1;
            }
            i += 2;
        } else if c == 'r' && (at(i + 1) == '"' || (at(i + 1) == '#' && matches!(at(i + 2), '"' | '#'))) {
            let hashes = chars[i + 1..].iter().take_while(|c| **c == '#').count();
            i += 2 + hashes;
            while i < chars.len() && !(chars[i] == '"' && (1..=hashes).all(|n| at(i + n) == '#')) {
                i += 1;
            }
            i += 1 + hashes;
        } else if c == '"' {
            i += 1;
            while i < chars.len() && chars[i] != '"' {
                i += if chars[i] == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == '\'' && (at(i + 2) == '\'' || at(i + 1) == '\\') {
            // A character, not a lifetime.
            i += if at(i + 1) == '\\' { 3 } else { 2 };
            while i < chars.len() && chars[i] != '\'' {
                i += 1;
            }
            i += 1;
        } else if c.is_alphanumeric() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            tokens.push(chars[start..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    tokens
}

/// Cuts out every item behind `#[cfg(test)]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let (mut kept, mut i) = (Vec::new(), 0);
    while i < tokens.len() {
        if !tokens[i..].iter().map(String::as_str).take(mark.len()).eq(mark) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let mut depth = 0;
        for token in &tokens[i..] {
            i += 1;
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                ";" if depth == 0 => break,
                _ => continue,
            }
            if depth == 0 {
                break;
            }
        }
    }
    kept
}

/// Every path whose first word `starts` accepts, `use` trees unfolded.
fn paths(tokens: &[String], starts: impl Fn(&str) -> bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let begins = i == 0 || tokens[i - 1] != "::";
        if begins && starts(token) && tokens.get(i + 1).is_some_and(|next| next == "::") {
            unfold(tokens, i, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// Reads one path or `use` tree at `i`; gives the place behind it.
fn unfold(tokens: &[String], mut i: usize, before: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let length = before.len();
    loop {
        match tokens.get(i).map(String::as_str) {
            Some("{") => {
                i += 1;
                while tokens.get(i).is_some_and(|token| token != "}") {
                    let next = unfold(tokens, i, before, found);
                    // `as name`, a comma: not part of a path.
                    i = if next == i { i + 1 } else { next };
                }
                before.truncate(length);
                return i + 1;
            }
            Some(word) if word == "*" || word.chars().all(|c| c.is_alphanumeric() || c == '_') => {
                before.push(word.to_owned());
                i += 1;
            }
            _ => {
                before.truncate(length);
                return i;
            }
        }
        if tokens.get(i).is_some_and(|token| token == "::") {
            i += 1;
        } else {
            found.push(before.clone());
            before.truncate(length);
            return i;
        }
    }
}

/// The paths of a file from the crate's root: `crate::`, `super::` and `self::` resolved.
fn inner_paths(source: &Source) -> Vec<Vec<String>> {
    let mut resolved = Vec::new();
    for path in paths(&source.tokens, |word| matches!(word, "crate" | "super" | "self")) {
        let mut place = source.module.clone();
        let mut words = path.iter().map(String::as_str).peekable();
        match words.next() {
            Some("crate") => place.clear(),
            Some("super") => drop(place.pop()),
            _ => {}
        }
        while words.next_if_eq(&"super").is_some() {
            place.pop();
        }
        place.extend(words.filter(|word| *word != "self").map(str::to_owned));
        resolved.push(place);
    }
    resolved
}

#[test]
fn every_layer_uses_only_what_lies_below_it() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.into_iter().collect();
    let mut wrong = Vec::new();
    for source in sources() {
        let Some(layer) = source.module.first() else { continue };
        let allowed = layers.get(layer.as_str()).unwrap_or_else(|| panic!("{layer} is no layer of the design"));
        for path in inner_paths(&source) {
            let Some(target) = path.first().filter(|target| layers.contains_key(target.as_str())) else { continue };
            if target != layer && !["error", "limits"].contains(&target.as_str()) && !allowed.contains(&target.as_str())
            {
                wrong.push(format!("{}: {layer} uses {}", source.file.display(), path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "layers that reach where they should not:\n{}", wrong.join("\n"));
}

#[test]
fn core_and_tree_are_pure() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !matches!(source.module.first().map(String::as_str), Some("core" | "tree")) {
            continue;
        }
        for path in paths(&source.tokens, |word| IMPURE.iter().any(|impure| impure[0] == word)) {
            let touches =
                |impure: &&[&str]| path.iter().map(String::as_str).take(impure.len()).eq(impure.iter().copied());
            if IMPURE.iter().any(touches) {
                wrong.push(format!("{}: {}", source.file.display(), path.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "a pure layer touches the world:\n{}", wrong.join("\n"));
}

/// `folder -> name -> child`: what a folder's `mod.rs` re-exports, and from which of its children.
fn re_exports(sources: &[Source]) -> BTreeMap<Vec<String>, BTreeMap<String, String>> {
    let children: BTreeSet<&[String]> = sources.iter().map(|source| source.module.as_slice()).collect();
    let mut folders = BTreeMap::new();
    for source in sources.iter().filter(|source| source.is_folder) {
        let is_child = |word: &str| {
            let mut module = source.module.clone();
            module.push(word.to_owned());
            children.contains(module.as_slice())
        };
        let mut names: BTreeMap<String, String> = BTreeMap::new();
        let own = paths(&source.tokens, is_child).into_iter().chain(
            inner_paths(source)
                .into_iter()
                .filter_map(|path| path.strip_prefix(source.module.as_slice()).map(<[String]>::to_vec)),
        );
        for path in own {
            if let ([child, .., name], true) = (path.as_slice(), path.len() > 1)
                && is_child(child)
            {
                names.insert(name.clone(), child.clone());
            }
        }
        folders.insert(source.module.clone(), names);
    }
    folders
}

#[test]
fn no_folder_has_a_cycle_among_its_modules() {
    let sources = sources();
    let re_exports = re_exports(&sources);
    let mut wrong = Vec::new();
    for (folder, names) in re_exports.iter().filter(|(folder, _)| !folder.is_empty()) {
        let depth = folder.len();
        let inside = |module: &[String]| module.len() > depth && module.starts_with(folder);
        let children: BTreeSet<&str> =
            sources.iter().filter(|s| inside(&s.module)).map(|s| s.module[depth].as_str()).collect();
        let mut uses: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for source in sources.iter().filter(|source| inside(&source.module)) {
            let from = source.module[depth].as_str();
            for path in inner_paths(source).iter().filter(|path| inside(path)) {
                let word = path[depth].as_str();
                let target = children.get(word).copied().or_else(|| names.get(word).map(String::as_str));
                if let Some(target) = target.filter(|target| *target != from) {
                    uses.entry(from).or_default().insert(children.get(target).copied().unwrap());
                }
            }
        }
        while let Some(cycle) = cycle(&uses) {
            wrong.push(format!("{}: {}", folder.join("/"), cycle.join(" -> ")));
            let [.., last, first] = cycle.as_slice() else { break };
            uses.entry(last).or_default().remove(first);
        }
    }
    assert!(wrong.is_empty(), "modules that use one another in a circle:\n{}", wrong.join("\n"));
}

/// A way from a module back to itself, if there is one.
fn cycle<'a>(uses: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> Option<Vec<&'a str>> {
    fn walk<'a>(
        uses: &BTreeMap<&'a str, BTreeSet<&'a str>>,
        way: &mut Vec<&'a str>,
        done: &mut BTreeSet<&'a str>,
    ) -> Option<Vec<&'a str>> {
        let here = *way.last()?;
        for next in uses.get(here).into_iter().flatten() {
            if let Some(start) = way.iter().position(|module| module == next) {
                return Some(way[start..].iter().copied().chain([*next]).collect());
            }
            if done.insert(next) {
                way.push(next);
                if let Some(found) = walk(uses, way, done) {
                    return Some(found);
                }
                way.pop();
            }
        }
        None
    }
    let mut done = BTreeSet::new();
    uses.keys().find_map(|start| walk(uses, &mut vec![*start], &mut done))
}

#[test]
fn the_reader_of_paths_sees_what_it_should() {
    let text = r##"
        use crate::{core::name::{Kind, Name}, tree}; // use crate::not::this
        use super::x as y;
        fn f<'a>(c: char) { let _ = ('"', "crate::nor::this", r#"crate::"nor this"#, crate::store::open()); }
        #[cfg(test)] mod tests { use crate::cli; }
    "##;
    let source = Source {
        file: PathBuf::new(),
        module: vec!["app".into(), "commit".into()],
        is_folder: false,
        tokens: without_tests(tokens(text)),
    };
    let found: Vec<String> = inner_paths(&source).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["core::name::Kind", "core::name::Name", "tree", "app::x", "store::open"]);
    let uses =
        BTreeMap::from([("a", BTreeSet::from(["b"])), ("b", BTreeSet::from(["c"])), ("c", BTreeSet::from(["b"]))]);
    assert_eq!(cycle(&uses), Some(vec!["b", "c", "b"]));
}
