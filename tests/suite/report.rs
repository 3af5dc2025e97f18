//! `plumb report`: one page, offline, safe, and usable in a browser.

use crate::support::browser::Browser;
use crate::support::{desk, plumb_ok, plumb_refuses};
use std::fs;
use std::path::Path;

/// A desk with a run, a probe of it, and a page about both.
fn page() -> (tempfile::TempDir, String) {
    let desk = desk();
    let reviews = fs::read_to_string(desk.path().join("reviews.csv")).unwrap();
    let hostile = reviews.replacen("author 0", "<script>alert(1)</script>", 1);
    fs::write(desk.path().join("reviews.csv"), hostile).unwrap();
    plumb_ok(
        desk.path(),
        "extract --model bert --data reviews.csv --text-column text --pool mean --out work/run --quiet",
    );
    plumb_ok(
        desk.path(),
        "probe work/run --label label --split-column split --lambda 0.01 --out work/probe --quiet",
    );
    let said = plumb_ok(desk.path(), "report work --out page.html");
    assert!(said.starts_with("page.html: "), "{said}");
    let html = fs::read_to_string(desk.path().join("page.html")).unwrap();
    (desk, html)
}

#[test]
fn the_page_holds_runs_and_results_and_loads_nothing() {
    let (_desk, html) = page();
    assert!(html.len() < 5_000_000);
    for part in [
        "Run: work/run",
        "Probe: label",
        "Certificates",
        "Leak audit",
        "Hook points",
        "blocks.1.resid_post",
        "weights sha256",
        "--split-column split",
        "role=\"img\"",
    ] {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("<script>alert"), "data are text, not markup");
    let outside = ["src=", "@import", "url(", "<link", "fetch("];
    for word in outside {
        assert!(!html.contains(word), "{word}");
    }
    let addresses = html.matches("http").count();
    let names = html.matches("http://www.w3.org/2000/svg").count();
    assert_eq!(addresses, names, "no address but the name of SVG");
}

#[test]
fn the_same_folders_make_the_same_page() {
    let (desk, html) = page();
    plumb_ok(desk.path(), "report work --out page.html --force");
    let again = fs::read_to_string(desk.path().join("page.html")).unwrap();
    assert_eq!(again.replace(" --force", ""), html);
}

#[test]
fn what_cannot_be_shown_is_refused_and_nothing_is_written() {
    let (desk, _) = page();
    let at = |name: &str| desk.path().join(name);
    let refused = |arguments: &str| plumb_refuses(desk.path(), arguments);
    assert!(refused("report work --out page.html").contains("--force"));
    fs::create_dir(at("empty")).unwrap();
    assert!(refused("report empty --out new.html").contains("neither a run nor a result"));
    assert!(refused("report nowhere --out new.html").contains("nowhere"));
    fs::write(at("work/probe/probe.json"), "{\"schema_version\": 1,").unwrap();
    assert!(refused("report work/probe --out new.html").contains("probe.json"));
    fs::write(at("work/probe/probe.json"), "{\"schema_version\": 1}").unwrap();
    let svg = fs::read_to_string(at("work/probe/chart.svg")).unwrap();
    let handler = svg.replacen("<rect ", "<rect onclick=\"alert(1)\" ", 1);
    fs::write(at("work/probe/chart.svg"), handler).unwrap();
    assert!(refused("report work/probe --out new.html").contains("chart.svg"));
    assert!(!at("new.html").exists());
}

#[test]
fn in_a_browser_the_page_sorts_and_tells_what_points_stand_for() {
    let Some(mut browser) = Browser::open() else {
        return;
    };
    let desk = tempfile::tempdir().unwrap();
    plumb_ok(desk.path(), "demo --out demo");
    plumb_ok(desk.path(), "report demo --out page.html");
    browser.visit(&desk.path().join("page.html"));
    let figures = browser.number("document.querySelectorAll('figure svg').length");
    assert!(figures >= 7.0, "{figures} figures");
    let hidden = "[...document.querySelectorAll('figure svg')].filter(s => s.getBoundingClientRect().height < 100).length";
    assert_eq!(browser.number(hidden), 0.0, "every figure is visible");
    let nameless =
        "[...document.querySelectorAll('svg')].filter(s => !s.getAttribute('aria-label')).length";
    assert_eq!(browser.number(nameless), 0.0, "every figure has a name");

    // A column of numbers sorts upwards on the first click and downwards on the second.
    browser.run("window.head = [...document.querySelectorAll('section[id^=finding] th.number button')][0]; head.click()");
    let column = "[...head.closest('table').tBodies[0].rows].map(r => Number(r.cells[[...head.closest('tr').children].indexOf(head.closest('th'))].dataset.sort))";
    let in_order = |direction: &str| {
        format!("{column}.every((v, i, all) => i === 0 || all[i - 1] {direction} v) ? 1 : 0")
    };
    assert_eq!(browser.number(&in_order("<=")), 1.0);
    browser.run("head.click()");
    assert_eq!(browser.number(&in_order(">=")), 1.0);
    let said = browser.text("head.closest('th').getAttribute('aria-sort')");
    assert_eq!(said, "descending");

    // Pointing at a mark shows what it stands for.
    browser.run("window.mark = document.querySelector('[data-note]'); mark.scrollIntoView({block: 'center'})");
    let place = |axis: &str, size: &str| {
        format!("(r => r.{axis} + r.{size} / 2)(mark.getBoundingClientRect())")
    };
    let x = browser.number(&place("x", "width"));
    let y = browser.number(&place("y", "height"));
    browser.point(x, y);
    let tip = browser.text(
        "document.getElementById('tip').hidden ? '' : document.getElementById('tip').textContent",
    );
    assert!(!tip.is_empty(), "the mark says what it is");
    assert_eq!(browser.complaints(), Vec::<String>::new());
    if let Some(folder) = std::env::var_os("PLUMB_SCREENSHOTS") {
        browser.screenshot(&Path::new(&folder).join("report.png"), false);
        browser.screenshot(&Path::new(&folder).join("report-dark.png"), true);
    }
}
