//! Which symbolic links travel: those that lead to a place inside, whatever else stands there.

use super::place::Place;

/// Whether a link at `place` with this target stays inside the directory.
///
/// A relative path that goes up no further than the directory itself, and only at its beginning: after a name, `..` leads
/// wherever that name does.
pub(super) fn stays_inside(place: &Place, target: &str) -> bool {
    let ups = target.split('/').take_while(|name| *name == "..").count();
    let up_to_here = place.depth().saturating_sub(1);
    let mut down = target.split('/').skip(ups).peekable();
    if ups > up_to_here || down.peek().is_none() {
        return false;
    }
    let inside: Vec<&str> = place.names().take(up_to_here - ups).chain(down).collect();
    Place::parse(&inside.join("/")).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_surely_stays_inside_travels() {
        let stays = |place: &str, target: &str| stays_inside(&Place::parse(place).unwrap(), target);
        for (place, target) in [("l", "a"), ("l", "a/b"), ("d/l", "a"), ("d/l", "../a"), ("d/e/l", "../../a/b")] {
            assert!(stays(place, target), "{place} -> {target}");
        }
        for (place, target) in [
            ("l", "/etc/passwd"),
            ("l", "../a"),
            ("l", ".."),
            ("d/l", "../../a"),
            ("d/l", ".."),
            ("d/l", "a/../../../b"),
            ("l", ""),
            ("l", "."),
            ("l", "a//b"),
            ("l", ".git/config"),
            ("d/l", "../.git"),
        ] {
            assert!(!stays(place, target), "{place} -> {target}");
        }
    }
}
