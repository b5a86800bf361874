//! A door in front of an emulator: peapod knows the door's address, and the test decides what is behind it and what
//! happens at it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the door does with a request, from its first bytes.
pub enum Pass {
    /// Lets it through.
    Through,
    /// Answers 500 itself.
    Fail,
}

type Guard = Box<dyn FnMut(&str) -> Pass + Send>;

struct Inside {
    target: Mutex<String>,
    guard: Mutex<Option<Guard>>,
    closed: AtomicBool,
}

/// An open port that leads to an emulator.
pub struct Door {
    pub url: String,
    port: u16,
    inside: Arc<Inside>,
}

impl Door {
    /// A door to the instance at `url`.
    pub fn to(url: &str) -> Door {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let inside =
            Arc::new(Inside { target: Mutex::new(host(url)), guard: Mutex::default(), closed: AtomicBool::default() });
        let shared = inside.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.closed.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || pass(stream, &shared));
            }
        });
        Door { url: format!("http://127.0.0.1:{port}"), port, inside }
    }

    /// From now on it leads elsewhere.
    pub fn lead_to(&self, url: &str) {
        *self.inside.target.lock().unwrap() = host(url);
    }

    /// Has every request looked at: its request line and headers, and maybe some of its body.
    pub fn guard(&self, guard: impl FnMut(&str) -> Pass + Send + 'static) {
        *self.inside.guard.lock().unwrap() = Some(Box::new(guard));
    }

    /// Lets everything through again.
    pub fn leave_alone(&self) {
        *self.inside.guard.lock().unwrap() = None;
    }

    /// Fails every request that has `mark` in its first bytes.
    pub fn fail(&self, mark: &str) {
        let mark = mark.to_owned();
        self.guard(move |request| if request.contains(&mark) { Pass::Fail } else { Pass::Through });
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.inside.closed.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn host(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

fn pass(mut client: TcpStream, inside: &Inside) {
    let target = inside.target.lock().unwrap().clone();
    let Ok(mut server) = TcpStream::connect(target) else { return };
    let (Ok(mut back), Ok(mut answer)) = (client.try_clone(), server.try_clone()) else { return };
    let _ = client.set_read_timeout(Some(Duration::from_secs(120)));
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut answer, &mut back);
        let _ = back.shutdown(Shutdown::Both);
    });
    let mut buffer = vec![0; 256 * 1024];
    while let Ok(read) = client.read(&mut buffer) {
        if read == 0 {
            break;
        }
        let verdict = match &mut *inside.guard.lock().unwrap() {
            Some(guard) => guard(&String::from_utf8_lossy(&buffer[..read])),
            None => Pass::Through,
        };
        match verdict {
            Pass::Through if server.write_all(&buffer[..read]).is_ok() => {}
            Pass::Through => break,
            Pass::Fail => {
                let _ = client.write_all(b"HTTP/1.1 500 oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                break;
            }
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = client.shutdown(Shutdown::Both);
}
