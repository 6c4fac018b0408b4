//! What the tests share: the program as real processes, its local API as plain HTTP, and patience.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fmt::Debug,
    io::{BufRead as _, BufReader, Read, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long anything may take before a test gives it up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A run of the program, killed when dropped. Its two outputs are read as one list of lines.
pub struct Process {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub output: String,
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_meshwork"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MESHWORK_") || name == "RUST_LOG")
    {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
    command
}

/// The program's arguments, however they are written.
pub trait Arguments {
    fn list(&self) -> Vec<String>;
}

impl Arguments for &str {
    fn list(&self) -> Vec<String> {
        self.split_whitespace().map(str::to_owned).collect()
    }
}

impl Arguments for String {
    fn list(&self) -> Vec<String> {
        self.as_str().list()
    }
}

impl<const N: usize> Arguments for [&str; N] {
    fn list(&self) -> Vec<String> {
        self.iter().map(ToString::to_string).collect()
    }
}

impl Process {
    pub fn start(arguments: impl Arguments) -> Self {
        Self::start_with(arguments, &[])
    }

    pub fn start_with(arguments: impl Arguments, environment: &[(&str, &str)]) -> Self {
        let mut command = command(arguments, environment);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (tell, lines) = channel();
        let outputs: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for output in outputs {
            let tell = tell.clone();
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    // The test may have gone on without this process.
                    let _ = tell.send(line);
                }
            });
        }
        Self { child, lines, seen: Vec::new() }
    }

    /// The next line that contains `part`.
    pub fn line(&mut self, part: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.contains(part) {
                        return line;
                    }
                }
                Err(error) => panic!("{error} for `{part}`; there was:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// What follows `part` in the next line that contains it, up to a space.
    pub fn word_after(&mut self, part: &str) -> String {
        let line = self.line(part);
        line.split_once(part).unwrap().1.split_whitespace().next().unwrap().to_owned()
    }

    /// Waits until the process has ended by itself.
    pub fn ended(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("does not end; there was:\n{}", self.seen.join("\n"))
                }
            }
        }
        Ended { status: self.child.wait().unwrap(), output: self.seen.join("\n") }
    }

    /// SIGKILL.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and then until it has ended.
    pub fn terminate(self) -> Ended {
        self.signal("-TERM")
    }

    /// As Ctrl-C does.
    pub fn interrupt(self) -> Ended {
        self.signal("-INT")
    }

    /// Sends a signal, such as `-TERM`.
    pub fn tell(&self, signal: &str) {
        signal_to(&self.child, signal);
    }

    fn signal(self, signal: &str) -> Ended {
        self.tell(signal);
        self.ended()
    }
}

/// Sends a signal, such as `-TERM`, to a process.
pub fn signal_to(child: &Child, signal: &str) {
    signal_to_id(child.id(), signal);
}

/// The same to any process.
pub fn signal_to_id(process: u32, signal: &str) {
    let told = Command::new("kill").args([signal, &process.to_string()]).status().unwrap();
    assert!(told.success());
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program, not yet started.
pub fn command(arguments: impl Arguments, environment: &[(&str, &str)]) -> Command {
    let mut command = program();
    command.args(arguments.list()).envs(environment.iter().copied());
    command
}

/// Runs the program to its end.
pub fn run(arguments: impl Arguments) -> Ended {
    Process::start(arguments).ended()
}

impl Ended {
    #[track_caller]
    pub fn succeeded(self) -> String {
        assert!(self.status.success(), "{self:?}");
        self.output
    }

    /// It failed, and said this, once.
    #[track_caller]
    pub fn refused(self, message: &str) -> String {
        assert!(!self.status.success(), "{self:?}");
        assert_eq!(self.output.matches(message).count(), 1, "wanted `{message}`, got:\n{}", self.output);
        self.output
    }
}

/// A hub at a free port, and its address. Nobody waits for members of before.
pub fn hub() -> (Process, String) {
    let mut hub = Process::start("hub --listen 127.0.0.1:0 --found-after-ms 0");
    let url = hub.word_after("hub at ");
    (hub, url)
}

/// A node with an API.
pub struct NodeProcess {
    pub process: Process,
    pub api: Api,
}

impl NodeProcess {
    /// Starts a node, and waits until its API answers.
    pub fn start(arguments: &str) -> Self {
        Self::start_with(arguments, &[])
    }

    pub fn start_with(arguments: &str, environment: &[(&str, &str)]) -> Self {
        let mut process = Process::start_with(format!("node --api 127.0.0.1:0 {arguments}"), environment);
        let url = process.word_after("API at http://");
        let address = url.strip_suffix("/api/status").unwrap().parse().unwrap();
        Self { process, api: Api { address } }
    }
}

/// A node's local API.
#[derive(Clone, Copy, Debug)]
pub struct Api {
    pub address: SocketAddr,
}

/// An answer.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Api {
    /// Sends `head` as the request's first lines, and `body`.
    pub fn raw(self, head: &str, body: &[u8]) -> Answer {
        self.try_raw(head, body).unwrap()
    }

    fn try_raw(self, head: &str, body: &[u8]) -> std::io::Result<Answer> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let head = format!("{head}\r\nconnection: close\r\n\r\n");
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) =
            answer.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("the answer broke off"))?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"));
        Ok(Answer { status, body })
    }

    pub fn request(self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}{headers}",
            self.address
        );
        self.raw(&head, body.as_bytes())
    }

    #[track_caller]
    pub fn get(self, path: &str) -> Value {
        let answer = self.request("GET", path, "", "");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    pub fn post(self, path: &str, body: &str) -> Answer {
        self.request("POST", path, "\r\ncontent-type: application/json", body)
    }

    pub fn status(self) -> Value {
        self.get("/api/status")
    }

    /// Sets a text at a path of keys between slashes, and waits for it to be `wait`.
    #[track_caller]
    pub fn set(self, path: &str, value: &str, wait: &str) -> Value {
        let keys: Vec<&str> = path.split('/').collect();
        let edit = serde_json::json!({ "set": { "path": keys, "value": value } }).to_string();
        let answer = self.post(&format!("/api/documents/app?wait={wait}"), &edit);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// The same; `None` when the node dies before it has answered.
    pub fn try_set(self, key: &str, value: &str, wait: &str) -> Option<Answer> {
        let edit = serde_json::json!({ "set": { "path": [key], "value": value } }).to_string();
        let head = format!(
            "POST /api/documents/app?wait={wait} HTTP/1.1\r\nhost: {}\r\ncontent-length: {}\r\ncontent-type: application/json",
            self.address,
            edit.len()
        );
        self.try_raw(&head, edit.as_bytes()).ok()
    }

    /// What lies at a path of the document; null when nothing does.
    pub fn value(self, path: &str) -> Value {
        let answer = self.request("GET", &format!("/api/documents/app?path={path}"), "", "");
        if answer.status == 404 { Value::Null } else { answer.body }
    }

    /// Listens to the node's events from now on.
    pub fn events(self) -> Events {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET /api/events HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.contains("text/event-stream"), "{head}");
        Events { lines }
    }
}

/// Server-sent events.
pub struct Events {
    lines: BufReader<TcpStream>,
}

impl Events {
    /// Everything until the end of the connection, as it was sent.
    pub fn rest(mut self) -> String {
        let mut rest = String::new();
        self.lines.read_to_string(&mut rest).unwrap();
        rest
    }

    /// The data of the next event of this name.
    pub fn next(&mut self, name: &str) -> Value {
        let mut seen = String::new();
        let mut wanted = false;
        loop {
            let start = seen.len();
            let read =
                self.lines.read_line(&mut seen).unwrap_or_else(|error| panic!("{error} for {name}: {seen}"));
            assert!(read > 0, "the events ended before {name}: {seen}");
            let line = seen[start..].trim_end();
            match line.strip_prefix("event: ") {
                Some(found) => wanted = found == name,
                None if wanted && line.starts_with("data: ") => {
                    return serde_json::from_str(&line["data: ".len()..]).unwrap();
                }
                None => {}
            }
        }
    }
}

/// Asks until the answer is the one that is waited for.
#[track_caller]
pub fn eventually<T: Debug>(what: &str, mut ask: impl FnMut() -> T, good: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if good(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: still {answer:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn shown(path: &Path) -> String {
    path.display().to_string()
}
