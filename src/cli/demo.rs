//! `plumb demo`: the whole way, on the model and the data in the binary.

mod map;

use super::line;
use super::output::OutputFolder;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Extract, probe and draw on the built-in model and data; needs no network.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  plumb demo --out demo/")]
pub(super) struct Args {
    /// Folder to make
    #[arg(long, value_name = "DIR", default_value = "demo")]
    out: PathBuf,
    /// Replace a folder that a demo made
    #[arg(long)]
    force: bool,
}

/// The file by which a demo's folder is known.
const MARK: &str = "demo.txt";

/// A question, the data that hold the answer, and how to ask.
struct Question {
    asks: &'static str,
    data: &'static str,
    csv: &'static str,
    /// Probes of the run: the name of the output folder, and the arguments.
    probes: &'static [(&'static str, &'static str)],
}

const QUESTIONS: &[Question] = &[
    Question {
        asks: "Does the model know, at each layer, whether what it just read is true?",
        data: "truth",
        csv: include_str!("../../datasets/truth.csv"),
        probes: &[(
            "truth",
            "--label label --split-column split --lambda 0.01 --group entity",
        )],
    },
    Question {
        asks: "Does it know where a city lies? (And can a coin be read that was tossed for each city, and is in no text?)",
        data: "places",
        csv: include_str!("../../datasets/places.csv"),
        probes: &[
            (
                "places",
                "--label latitude,longitude --kind ridge --split-column split --lambda 0.01 --group name",
            ),
            (
                "continent",
                "--label continent --split-column split --lambda 0.01 --group name",
            ),
            (
                "coin",
                "--label coin --split-column split --lambda 0.01 --group name",
            ),
        ],
    },
    Question {
        asks: "Does it know whether a sentence is glad or sad?",
        data: "sentiment",
        csv: include_str!("../../datasets/sentiment.csv"),
        probes: &[(
            "sentiment",
            "--label label --split-column split --lambda 0.01 --group pair",
        )],
    },
    Question {
        asks: "Does it know which of two numbers is the greater?",
        data: "number",
        csv: include_str!("../../datasets/number.csv"),
        probes: &[(
            "number",
            "--label comparison --split-column split --lambda 0.01 --group pair",
        )],
    },
];

pub(super) fn run(args: &Args) -> anyhow::Result<String> {
    let out = OutputFolder::open(&args.out, MARK, args.force)?;
    let mut story = String::new();
    for question in QUESTIONS {
        answer(question, out.path(), &args.out, &mut story)?;
    }
    let drawn = map::draw(&out.path().join("places-run"), &args.out)?;
    out.write_folder("map", &drawn.files)?;
    writeln!(story, "{}", drawn.said)?;
    out.write(MARK, story.as_bytes())?;
    out.publish()?;
    let folder = args.out.display();
    writeln!(
        story,
        "Everything is in {folder}/: chart.png, chart.svg and probe.json of each probe, the map, the runs and their data.\n\n\
         The same on a model and texts of your own:\n  \
         plumb extract --model DIR --data texts.csv --text-column text --pool mean --out run/\n  \
         plumb probe run/ --label COLUMN --out probe/"
    )?;
    Ok(story)
}

/// Runs a question's commands in the folder that is being built, and tells them as they would be typed for the one it becomes.
fn answer(
    question: &Question,
    building: &Path,
    shown: &Path,
    story: &mut String,
) -> anyhow::Result<()> {
    let data = format!("{}.csv", question.data);
    let run = format!("{}-run", question.data);
    std::fs::write(building.join(&data), question.csv)
        .map_err(|e| crate::error::Error::io(building.join(&data), e))?;
    writeln!(story, "{}", question.asks)?;
    let words = |folder: &Path| {
        let (data, run) = (folder.join(&data), folder.join(&run));
        let first = ["--model", "builtin", "--pool", "last", "--data"];
        let first = first.map(str::to_owned).into_iter();
        first
            .chain([data.display().to_string(), "--out".to_owned()])
            .chain([run.display().to_string()])
            .collect::<Vec<String>>()
    };
    writeln!(story, "$ plumb extract {}", words(shown).join(" "))?;
    eprintln!("plumb extract {}", words(shown).join(" "));
    line::extract(&words(building), &shown.join(&data))?;
    for (name, arguments) in question.probes {
        let words = |folder: &Path| {
            let words = [folder.join(&run).display().to_string()].into_iter();
            let words = words.chain(arguments.split(' ').map(str::to_owned));
            words
                .chain(["--out".to_owned(), folder.join(name).display().to_string()])
                .collect::<Vec<String>>()
        };
        let command = format!("plumb probe {}", words(shown).join(" "));
        eprintln!("{command}");
        // The run names its data as they will lie; the control of random weights reads them where they lie now.
        let mut typed = words(building);
        typed.extend([
            "--data".to_owned(),
            building.join(&data).display().to_string(),
        ]);
        let table = line::probe(&typed, command.clone(), &shown.join(&run))?;
        writeln!(story, "$ {command}\n{table}")?;
    }
    Ok(())
}
