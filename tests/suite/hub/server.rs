//! A small server that plays the hub, and misbehaves when told to.

use crate::support::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

/// The commits that it has, as `main` and as `v1`.
pub(super) const MAIN: &str = "1111111111111111111111111111111111111111";
pub(super) const OTHER: &str = "2222222222222222222222222222222222222222";
pub(super) const WEIGHTS: &str = "model.safetensors";

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) path: String,
    pub(super) range: String,
    pub(super) token: Option<String>,
}

/// What the server has, and how it misbehaves.
#[derive(Default)]
pub(super) struct State {
    /// Commit -> file -> bytes.
    pub(super) commits: BTreeMap<&'static str, BTreeMap<String, Vec<u8>>>,
    pub(super) asked: Vec<Asked>,
    /// The status of every answer, instead of the answer.
    pub(super) status: Option<u16>,
    /// How many answers with weights end after 1000 bytes.
    pub(super) cuts: usize,
    /// The commit that it claims to have, instead of the one it has.
    pub(super) claims: Option<&'static str>,
}

pub(super) struct Hub {
    pub(super) endpoint: String,
    pub(super) state: Arc<Mutex<State>>,
}

impl Hub {
    /// A hub with `org/tiny` at two commits; each connection carries one request, so that cutting it is simple.
    pub(super) fn start(main: BTreeMap<String, Vec<u8>>, other: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            commits: [(MAIN, main), (OTHER, other)].into(),
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // A client that went away is no fault of the server's.
                let _ = answer(&mut shared.lock().unwrap(), stream.unwrap());
            }
        });
        Self { endpoint, state }
    }

    /// What was asked since the last time.
    pub(super) fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    pub(super) fn set(&self, change: impl Fn(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    pub(super) fn run(&self, desk: &Path, arguments: &str, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_plumb"));
        for name in [
            "HF_TOKEN",
            "HF_HUB_CACHE",
            "HF_HUB_OFFLINE",
            "http_proxy",
            "HTTP_PROXY",
            "ALL_PROXY",
            "all_proxy",
        ] {
            command.env_remove(name);
        }
        command
            .args(arguments.split_whitespace())
            .current_dir(desk)
            .env("HF_HOME", desk.join("hf"))
            .env("HF_ENDPOINT", &self.endpoint)
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// Extracts with the model; returns the run's manifest.
    pub(super) fn extract(
        &self,
        desk: &Path,
        model: &str,
        out: &str,
        variables: &[(&str, &str)],
    ) -> serde_json::Value {
        let arguments =
            format!("extract --model {model} --data reviews.csv --pool mean --out {out} --json");
        let output = self.run(desk, &arguments, variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{stderr}");
        json(&String::from_utf8(output.stdout).unwrap())["plan"]["model"].clone()
    }

    /// Fails to extract; returns the one sentence.
    pub(super) fn refuses(&self, desk: &Path, model: &str, variables: &[(&str, &str)]) -> String {
        let arguments = format!("extract --model {model} --data reviews.csv --out no");
        let output = self.run(desk, &arguments, variables);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.starts_with(&format!("error: {model}: ")), "{stderr}");
        assert!(!desk.join("no").exists());
        stderr
    }
}

fn answer(state: &mut State, mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    for line in BufReader::new(stream.try_clone()?).lines() {
        match line? {
            line if line.is_empty() => break,
            line => head.push(line),
        }
    }
    let header = |name: &str| {
        let mut lines = head.iter().filter_map(|line| line.split_once(": "));
        lines
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let asked = Asked {
        path: head[0].split(' ').nth(1).unwrap().to_owned(),
        range: header("range").unwrap_or_default(),
        token: header("authorization"),
    };
    state.asked.push(asked.clone());
    let (status, headers, body) = match state.status {
        Some(status) => (status, String::new(), Vec::new()),
        None => content(state, &asked).unwrap_or((404, String::new(), Vec::new())),
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    )?;
    match asked.path.ends_with(WEIGHTS) && length > 1000 && state.cuts > 0 {
        false => stream.write_all(&body),
        true => {
            state.cuts -= 1;
            stream.write_all(&body[..1000])
        }
    }
}

/// Status, headers and body of a file or of the list of files.
fn content(state: &State, asked: &Asked) -> Option<(u16, String, Vec<u8>)> {
    let commit = |revision: &str| match revision {
        "main" => MAIN,
        "v1" => OTHER,
        commit => *state.commits.keys().find(|c| **c == commit).unwrap_or(&""),
    };
    if let Some(revision) = asked.path.strip_prefix("/api/models/org/tiny/revision/") {
        let commit = commit(revision);
        let files = state.commits.get(commit)?.keys();
        let files: Vec<_> = files.map(|f| serde_json::json!({"rfilename": f})).collect();
        let sha = state.claims.unwrap_or(commit);
        let list = serde_json::json!({"sha": sha, "siblings": files}).to_string();
        return Some((
            200,
            "Content-Type: application/json\r\n".to_owned(),
            list.into(),
        ));
    }
    let (revision, file) = asked
        .path
        .strip_prefix("/org/tiny/resolve/")?
        .split_once('/')?;
    let commit = commit(revision);
    let bytes = state.commits.get(commit)?.get(file)?;
    let (from, to) = asked.range.strip_prefix("bytes=")?.split_once('-')?;
    let from: usize = from.parse().ok()?;
    let to = to
        .parse()
        .map_or(bytes.len(), |to: usize| to + 1)
        .min(bytes.len());
    let hash = format!("{:x}", Sha256::digest(bytes));
    let etag = if file == WEIGHTS { &hash } else { &hash[..40] };
    let headers = format!(
        "ETag: \"{etag}\"\r\nX-Repo-Commit: {commit}\r\nContent-Range: bytes {from}-{}/{}\r\n",
        to.saturating_sub(1),
        bytes.len()
    );
    match from < bytes.len() {
        true => Some((206, headers, bytes[from..to].to_vec())),
        false => Some((416, headers, Vec::new())),
    }
}
