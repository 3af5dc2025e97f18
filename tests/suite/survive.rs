//! What happens to a run is survived: kills, Ctrl-C, a second process, a disk that is too small.

use crate::support::{desk, files, plumb, plumb_ok, plumb_refuses};
use rand::{Rng, SeedableRng};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

/// Reviews of nine tokens each.
fn data(desk: &Path, rows: usize) {
    let words = ["red", "blue", "green", "one", "two"];
    let rows: String = (0..rows)
        .map(|i| format!("the {} film was very good .,{i}\n", words[i % 5]))
        .collect();
    fs::write(desk.join("data.csv"), format!("text,n\n{rows}")).unwrap();
}

fn spawn(desk: &Path, arguments: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(arguments.split_whitespace())
        .current_dir(desk)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets a child run until a file is there, and no further.
#[cfg(unix)]
fn stopped_at(desk: &Path, arguments: &str, file: &str) -> Child {
    let mut child = spawn(desk, arguments);
    while !desk.join(file).exists() {
        assert!(child.try_wait().unwrap().is_none(), "it was met in time");
        std::thread::yield_now();
    }
    signal(&child, "STOP");
    child
}

#[cfg(unix)]
fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(sent.unwrap().success());
}

/// 200 processes are killed, each at another moment between its first instruction and its end, some while they resume what another one left.
/// After each, `--resume` ends with the bytes of a run that nobody disturbed.
#[test]
fn a_run_that_is_killed_at_any_moment_resumes_to_the_same_bytes() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 400);
    let extract = "extract --model llama --data data.csv --memory 16MiB --resume --out";
    let begin = Instant::now();
    plumb_ok(desk, &format!("{extract} whole"));
    let mut span = begin.elapsed();
    let whole = files(&desk.join("whole"));
    assert!(whole.len() >= 5, "four shards and the manifest");
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let mut kills = 0;
    while kills < 200 {
        // Some runs meet what a killed one has left.
        for _ in 0..rng.random_range(1..=3) {
            let mut child = spawn(desk, &format!("{extract} run"));
            std::thread::park_timeout(span.mul_f64(rng.random_range(0.0..1.0)));
            child.kill().unwrap();
            let killed = !child.wait().unwrap().success();
            kills += usize::from(killed);
            // The machine is faster now than it was at first, or slower.
            span = span.mul_f64(if killed { 1.01 } else { 0.9 });
        }
        plumb_ok(desk, &format!("{extract} run"));
        assert!(files(&desk.join("run")) == whole, "after {kills} kills");
        fs::remove_dir_all(desk.join("run")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_whole_shards_and_says_how_to_go_on() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 20_000);
    let extract = "extract --model llama --data data.csv --memory 16MiB --out";
    let child = stopped_at(desk, &format!("{extract} run"), "run/shard-00001.parquet");
    signal(&child, "INT");
    signal(&child, "CONT");
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{said}");
    let line = said.lines().last().unwrap();
    assert!(
        line.starts_with("error: run: stopped, ") && line.contains("--resume"),
        "{said}"
    );
    let left = files(&desk.join("run"));
    let shards = left.iter().filter(|f| f.0.ends_with(".parquet")).count();
    assert!(line.contains(&format!("stopped, {shards} of ")), "{line}");
    assert_eq!(
        left.len(),
        shards + 1,
        "shards and the manifest, and nothing half"
    );
    plumb_ok(desk, &format!("{extract} run --resume"));
    plumb_ok(desk, &format!("{extract} whole"));
    assert!(files(&desk.join("run")) == files(&desk.join("whole")));
}

#[cfg(unix)]
#[test]
fn a_second_process_on_one_run_refuses_until_the_first_is_gone() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 20_000);
    let extract = "extract --model llama --data data.csv --memory 16MiB --out run";
    let mut child = stopped_at(desk, extract, "run/shard-00000.parquet");
    for how in ["--resume", "--force"] {
        let said = plumb_refuses(desk, &format!("{extract} {how}"));
        assert!(
            said.contains("another plumb is working on this run"),
            "{said}"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    plumb_ok(desk, &format!("{extract} --resume"));
    plumb_ok(desk, &format!("{extract} --force"));
    plumb_ok(desk, "verify run");
}

/// A small file system of its own, or `None` with one clear line.
#[cfg(target_os = "linux")]
struct Disk(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Disk {
    fn mount(at: std::path::PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&at)
            .output();
        match mount.is_ok_and(|m| m.status.success()) {
            true => Some(Self(at)),
            false => {
                eprintln!("skipped: needs the right to mount a small file system");
                None
            }
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_too_small_is_found_before_the_run_begins() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 400);
    let Some(disk) = Disk::mount(desk.join("disk"), "size=512k") else {
        return;
    };
    let extract = "extract --model llama --data data.csv --out disk/run";
    let said = plumb_refuses(desk, extract);
    assert!(
        said.contains("the run needs about 2.") && said.contains("the disk has 0.5 MB free"),
        "{said}"
    );
    assert!(!disk.0.join("run").exists());
    let plan = plumb_ok(desk, &format!("{extract} --plan"));
    assert!(
        plan.contains("free on the disk: it will be refused"),
        "{plan}"
    );
    plumb_ok(desk, &format!("{extract} --pool mean"));
}

/// A disk that is full in the middle: this one has room for bytes, but not for files.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_one_sentence_and_leaves_no_half_shard() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 400);
    // The root, the run's folder, the lock, the manifest, two shards.
    let Some(disk) = Disk::mount(desk.join("disk"), "size=16m,nr_inodes=6") else {
        return;
    };
    let extract = "extract --model llama --data data.csv --memory 16MiB --out";
    let said = plumb_refuses(desk, &format!("{extract} disk/run"));
    assert!(
        said.contains("No space left on device") && said.contains("2 of 4 shards are written"),
        "{said}"
    );
    let left: Vec<String> = files(&disk.0.join("run"))
        .into_iter()
        .map(|f| f.0)
        .collect();
    // Which two is a matter of which were whole first.
    assert!(
        left.len() == 3 && left[1..].iter().all(|f| f.starts_with("shard-")),
        "{left:?}"
    );
    // Put right, it goes on.
    let mut options = Command::new("mount");
    options
        .args(["-o", "remount,size=16m,nr_inodes=60"])
        .arg(&disk.0);
    assert!(options.status().unwrap().success());
    plumb_ok(desk, &format!("{extract} disk/run --resume"));
    plumb_ok(desk, &format!("{extract} whole"));
    assert!(files(&disk.0.join("run")) == files(&desk.join("whole")));
}

#[cfg(unix)]
#[test]
fn a_write_error_is_one_sentence_that_names_what_is_done() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 400);
    // No file larger than 64 KiB; the signal that would say so is not wanted.
    let script = format!(
        "trap '' XFSZ; ulimit -f 64; '{}' extract --model llama --data data.csv --out run",
        env!("CARGO_BIN_EXE_plumb")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(desk)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.lines().count() == 1 && said.contains("0 of 1 shards are written"),
        "{said}"
    );
    let left: Vec<String> = files(&desk.join("run")).into_iter().map(|f| f.0).collect();
    assert_eq!(left, ["manifest.json"]);
    plumb_ok(
        desk,
        "extract --model llama --data data.csv --out run --resume",
    );
}

/// Peak memory, as the program itself logs it.
#[cfg(target_os = "linux")]
fn peak_kib(desk: &Path, arguments: &str) -> u64 {
    let output = Command::new(env!("CARGO_BIN_EXE_plumb"))
        .args(arguments.split_whitespace())
        .current_dir(desk)
        .env("RUST_LOG", "plumb=debug")
        .output()
        .unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(
        log.contains("shard 0 written"),
        "the log tells of shards: {log}"
    );
    let peak = log
        .lines()
        .find_map(|l| l.split_once("peak memory: "))
        .unwrap()
        .1;
    peak.trim_end_matches(" kB").parse().unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn twenty_times_the_data_take_no_more_memory() {
    let desk = desk();
    let desk = desk.path();
    let extract = "extract --model llama --data data.csv --points resid_post,mlp_post --memory 32MiB --force --out run";
    // A shard is full, and more follow it.
    data(desk, 2_000);
    let one = peak_kib(desk, extract);
    data(desk, 40_000);
    let twenty = peak_kib(desk, extract);
    let text = fs::metadata(desk.join("data.csv")).unwrap().len() / 1024;
    // The data file itself is held: its bytes while it is read, its cells, and where each is.
    let allowed = one + 8 * text + 4096;
    assert!(
        twenty <= allowed,
        "{one} KiB, then {twenty} KiB, with {text} KiB of data"
    );
    let stored = fs::read_dir(desk.join("run"))
        .unwrap()
        .map(|f| f.unwrap().metadata().unwrap().len());
    assert!(
        stored.sum::<u64>() > 200 << 20,
        "what was stored would not have fitted"
    );
}

#[test]
fn more_memory_on_resuming_keeps_the_pieces_that_the_run_was_begun_with() {
    let desk = desk();
    let desk = desk.path();
    data(desk, 400);
    let extract = "extract --model llama --data data.csv --out";
    plumb_ok(desk, &format!("{extract} small --memory 16MiB"));
    plumb_ok(desk, &format!("{extract} large"));
    let small = files(&desk.join("small"));
    assert!(small.len() > files(&desk.join("large")).len());
    fs::remove_file(desk.join("small/shard-00002.parquet")).unwrap();
    plumb_ok(desk, &format!("{extract} small --resume --memory 2GiB"));
    assert!(files(&desk.join("small")) == small);
    let refused = plumb(desk, &format!("{extract} tiny --memory 1MiB"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("at least 16 MiB"));
}
