//! A home: the private directory that holds one node's key, store and log.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use crate::core::identity::Secret;
use crate::error::{Context, Error, Result};

/// The longest path of a Unix socket: Linux allows 107 bytes, macOS 103.
const SOCKET_PATH: usize = 103;

/// The directory of one node, checked to be its owner's alone.
#[derive(Debug, Clone)]
pub struct Home {
    directory: PathBuf,
}

impl Home {
    /// Where the home is when nobody says: the platform's data directory.
    pub fn default_directory() -> Result<PathBuf> {
        let base = etcetera::choose_base_strategy()
            .map_err(|error| Error::usage("there is no home directory").because(error).hint("say --home DIR"))?;
        Ok(base.data_dir().join("peapod"))
    }

    /// Opens the home in `directory`, making it (0700) if it is not there; an empty directory of the user's is made
    /// private.
    ///
    /// Fails with [`crate::error::Kind::Denied`] when it is another user's, or open to others and not empty.
    pub fn open(directory: &Path) -> Result<Home> {
        let what = || format!("can't use the home {}", directory.display());
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).with_context(what).map_err(elsewhere)?;
        let directory = directory.canonicalize().with_context(what).map_err(elsewhere)?;
        tighten_empty(&directory).with_context(what).map_err(elsewhere)?;
        check_private(&directory, "a home", 0o700)?;
        Ok(Home { directory })
    }

    /// The directory itself.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The store's directory.
    pub fn store(&self) -> PathBuf {
        self.directory.join("store")
    }

    /// The log of a detached node.
    pub fn log(&self) -> PathBuf {
        self.directory.join("node.log")
    }

    /// The node's key, made on first use.
    ///
    /// The file is put in place whole: of two processes that make a key at once, one wins and both use its key.
    pub fn secret(&self) -> Result<Secret> {
        let path = self.directory.join("key");
        match fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => self.make_key(&path)?,
            Err(error) => return Err(error).with_context(|| format!("can't look at the key {}", path.display())),
        }
        check_private(&path, "a key", 0o600)?;
        let text = fs::read_to_string(&path).with_context(|| format!("can't read the key {}", path.display()))?;
        let mut seed = [0; 32];
        hex::decode_to_slice(text.trim(), &mut seed).map_err(|_| {
            Error::failed(format!("the key {} is damaged", path.display()))
                .hint("put it back from a backup: without it this node is a stranger to its team")
        })?;
        Ok(Secret::from_seed(&seed))
    }

    fn make_key(&self, path: &Path) -> Result<()> {
        let what = || format!("can't write the key {}", path.display());
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::failed(format!("no random bytes for a key: {error}")))?;
        let mut file = tempfile::Builder::new()
            .prefix("key.")
            .permissions(fs::Permissions::from_mode(0o600))
            .tempfile_in(&self.directory)
            .with_context(what)?;
        writeln!(file, "{}", hex::encode(seed)).with_context(what)?;
        file.as_file().sync_all().with_context(what)?;
        match file.persist_noclobber(path) {
            Ok(_) => {}
            Err(lost) if lost.error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(lost) => return Err(lost.error).with_context(what),
        }
        fs::File::open(&self.directory).and_then(|directory| directory.sync_all()).with_context(what)
    }

    /// The path of the control socket. Where the home's own path is too long for a socket, it stands in the user's
    /// runtime directory under the hash of the home's path.
    pub fn socket(&self) -> Result<PathBuf> {
        let inside = self.directory.join("control.sock");
        if inside.as_os_str().len() <= SOCKET_PATH {
            return Ok(inside);
        }
        let hash = blake3::derive_key("peapod 2026 control socket v1", inside.as_os_str().as_encoded_bytes());
        let file = format!("{}.sock", hex::encode(&hash[..8]));
        let user = rustix::process::geteuid().as_raw();
        let mut bases = vec![std::env::temp_dir(), PathBuf::from("/tmp")];
        bases.splice(0..0, std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
        let short = |base: PathBuf| Some(base.join(format!("peapod-{user}"))).filter(|d| fits(d, &file));
        let directory = bases.into_iter().find_map(short).ok_or_else(|| Error::failed("no short path for a socket"))?;
        let what = || format!("can't use {} for the control socket", directory.display());
        match fs::DirBuilder::new().mode(0o700).create(&directory) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error).with_context(what),
            _ => check_private(&directory, "a socket's directory", 0o700)?,
        }
        Ok(directory.join(file))
    }
}

fn elsewhere(error: Error) -> Error {
    error.hint("say --home DIR, or set PEAPOD_HOME, for a directory that you may write to")
}

fn fits(directory: &Path, file: &str) -> bool {
    directory.is_absolute() && directory.as_os_str().len() + 1 + file.len() <= SOCKET_PATH
}

/// Makes the user's own directory private if nothing is in it that others may have seen or put there.
fn tighten_empty(directory: &Path) -> std::io::Result<()> {
    let metadata = fs::metadata(directory)?;
    let is_own = metadata.uid() == rustix::process::geteuid().as_raw();
    if is_own && metadata.mode() & 0o077 != 0 && fs::read_dir(directory)?.next().is_none() {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// Refuses what another user owns, what others may read, and symbolic links in a key's place.
fn check_private(path: &Path, what: &str, mode: u32) -> Result<()> {
    let metadata = fs::symlink_metadata(path).with_context(|| format!("can't look at {}", path.display()))?;
    if metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(Error::denied(format!("{} belongs to another user", path.display()))
            .hint(format!("{what} is its owner's alone; say --home DIR for one of your own")));
    }
    if metadata.file_type().is_symlink() {
        return Err(Error::denied(format!("{} is a symbolic link", path.display()))
            .hint(format!("{what} must stand there itself")));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(Error::denied(format!("{} is open to other users", path.display()))
            .hint(format!("run `chmod {mode:o} {}`", path.display())));
    }
    Ok(())
}

/// Opens a file for the owner alone, making it if it is not there.
pub fn open_private(path: &Path) -> Result<fs::File> {
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    file.with_context(|| format!("can't open {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn home() -> (tempfile::TempDir, Home) {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("h")).unwrap();
        (directory, home)
    }

    #[test]
    fn a_home_and_its_key_are_private_and_stay() {
        let (_directory, home) = home();
        let author = home.secret().unwrap().author();
        assert_eq!(home.secret().unwrap().author(), author);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(home.directory()), 0o700);
        assert_eq!(mode(&home.directory().join("key")), 0o600);
    }

    #[test]
    fn what_others_can_read_is_refused() {
        let (_directory, home) = home();
        home.secret().unwrap();
        let key = home.directory().join("key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(home.secret().unwrap_err().kind(), Kind::Denied);
        fs::set_permissions(home.directory(), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(Home::open(home.directory()).unwrap_err().kind(), Kind::Denied);
    }

    #[test]
    fn a_damaged_or_linked_key_is_said() {
        let (directory, home) = home();
        let key = home.directory().join("key");
        fs::write(&key, "nonsense").unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(home.secret().unwrap_err().kind(), Kind::Failed);
        fs::remove_file(&key).unwrap();
        std::os::unix::fs::symlink(directory.path().join("elsewhere"), &key).unwrap();
        assert_eq!(home.secret().unwrap_err().kind(), Kind::Denied);
    }

    #[test]
    fn a_socket_path_is_always_short_enough() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home::open(&directory.path().join("deep".repeat(40))).unwrap();
        let socket = home.socket().unwrap();
        assert!(socket.as_os_str().len() <= SOCKET_PATH);
        assert_eq!(home.socket().unwrap(), socket);
    }

    #[test]
    fn keys_made_at_once_are_one_key() {
        let (_directory, home) = home();
        let authors: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| home.secret().unwrap().author())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(authors.windows(2).all(|pair| pair[0] == pair[1]));
    }
}
