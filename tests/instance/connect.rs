//! Who answers, and what happens when nobody does.

use std::time::Duration;

use peapod::error::Kind;
use peapod::instance::Instance;
use peapod::instance::aws::{Aws, Options};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::common::captured::{connect, login};
use crate::common::emulators::{Emulator, Make, free_port};

#[tokio::test(flavor = "multi_thread")]
async fn every_emulator_is_known_by_name_and_account() {
    for make in Make::ALL {
        let Some(emulator) = Emulator::start(make) else { continue };
        let identity = connect(&emulator.url).await.identify().await.unwrap();
        assert_eq!(identity.emulator, make.name());
        let account = if make == Make::Moto { "123456789012" } else { "000000000000" };
        assert_eq!(identity.account, account);
    }
}

#[tokio::test]
async fn where_nobody_listens_there_is_no_instance() {
    let url = format!("http://127.0.0.1:{}", free_port());
    let error = Aws::connect(&url, Options { allow_remote: false, login: login() }).await.err().unwrap();
    assert_eq!(error.kind(), Kind::NotFound);
    assert!(error.hint_text().unwrap().contains("--instance"));
}

#[tokio::test]
async fn an_instance_that_answers_500_is_no_emulator() {
    let url = answer_everything_with(Some(b"HTTP/1.1 500 oops\r\ncontent-length: 0\r\n\r\n")).await;
    let error = Aws::connect(&url, Options { allow_remote: false, login: login() }).await.err().unwrap();
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_hangs_is_given_up() {
    let url = answer_everything_with(None).await;
    let connecting = Aws::connect(&url, Options { allow_remote: false, login: login() });
    let error = tokio::time::timeout(Duration::from_secs(60), connecting).await.unwrap().err().unwrap();
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

async fn answer_everything_with(answer: Option<&'static [u8]>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 8192];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    if let Some(answer) = answer {
                        let _ = stream.write_all(answer).await;
                    }
                }
            });
        }
    });
    url
}
