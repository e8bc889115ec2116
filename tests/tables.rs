//! The tables of a batch as others read them: the questions of the README, asked of the samples with DuckDB.
//!
//! Without Python's `duckdb` this says that it is skipped; with `TURNSCOPE_REQUIRE_DUCKDB=1` that is a failure. `TURNSCOPE_PYTHON` names the
//! interpreter, `python3` else.
// What is unwrapped here was made here.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
#![cfg(feature = "parquet")]

use serde_json::Value;
use std::path::Path;
use std::process::Command;

/// Runs each query of a JSON list; gives the rows of each, with what is no number as text.
const ASK: &str = "
import duckdb, json, sys
def plain(value):
    return value if value is None or isinstance(value, (int, float, bool)) else str(value)
def rows(query):
    found = duckdb.sql(query)
    return [dict(zip(found.columns, map(plain, row))) for row in found.fetchall()]
print(json.dumps([rows(query) for query in json.load(sys.stdin)]))
";

fn python() -> String {
    std::env::var("TURNSCOPE_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

fn has_duckdb() -> bool {
    let found =
        Command::new(python()).args(["-c", "import duckdb, pytz"]).output().is_ok_and(|output| output.status.success());
    let required = std::env::var_os("TURNSCOPE_REQUIRE_DUCKDB").is_some();
    assert!(found || !required, "{} has no duckdb with pytz, and it is required", python());
    if !found {
        eprintln!("SKIPPED: {} has no duckdb (pip install duckdb pytz)", python());
    }
    found
}

fn ask(folder: &Path, queries: &[&str]) -> Vec<Vec<Value>> {
    let input = folder.join("queries.json");
    std::fs::write(&input, serde_json::to_vec(queries).unwrap()).unwrap();
    let output = Command::new(python())
        .args(["-c", ASK])
        .current_dir(folder)
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_questions_of_the_readme_are_answered() {
    if !has_duckdb() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let mut queries: Vec<&str> =
        readme.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap()).collect();
    assert_eq!(queries.len(), 3);
    queries.extend([
        "SELECT count(*) AS n, count(DISTINCT capture_id) AS ids, min(first_time) AS first FROM 'out/captures.parquet'",
        "SELECT count(*) AS n FROM read_json('out/summary.jsonl')",
        "SELECT m.error_code, m.method, m.frame FROM 'out/messages.parquet' m JOIN 'out/captures.parquet' c USING (capture_id) \
         WHERE c.path LIKE '%expressway-431%' AND m.error_code = 431 ORDER BY m.frame LIMIT 1",
        "SELECT DISTINCT typeof(time) AS type FROM 'out/transactions.parquet'",
        "SELECT count(*) AS n FROM 'out/ice_pairs.parquet' WHERE selected AND local_type = 'relay'",
        "SELECT count(*) AS n FROM 'out/dtls.parquet' WHERE state = 'complete' AND completed_at > started_at",
        "SELECT count(*) AS n FROM 'out/tls.parquet' WHERE state = 'complete' AND completed_at > started_at",
        "SELECT count(*) AS n FROM 'out/allocations.parquet' WHERE relayed IS NOT NULL",
        "SELECT sum(packets) AS n FROM 'out/media.parquet'",
        "SELECT count(*) AS n FROM 'out/servers.parquet' WHERE transport = 'tls' AND connections_tried > 0",
    ]);
    let desk = tempfile::tempdir().unwrap();
    let pattern = root.join("samples/*/capture.pcap*").display().to_string();
    let batch = Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .current_dir(desk.path())
        .args(["batch", &pattern, "--out", "out", "--messages", "--quiet"])
        .output()
        .unwrap();
    assert_eq!(batch.status.code(), Some(0), "{}", String::from_utf8_lossy(&batch.stderr));
    let answers = ask(desk.path(), &queries);
    let told = root.join("samples/expressway-deployment");
    let batch = Command::new(env!("CARGO_BIN_EXE_turnscope"))
        .current_dir(desk.path())
        .arg("batch")
        .arg(told.join("capture.pcapng"))
        .arg("--deployment")
        .arg(told.join("deployment.toml"))
        .arg("--log")
        .arg(told.join("meeting-server.log"))
        .args(["--out", "told", "--quiet"])
        .output()
        .unwrap();
    assert_eq!(batch.status.code(), Some(0), "{}", String::from_utf8_lossy(&batch.stderr));
    let beside = ask(
        desk.path(),
        &[
            "SELECT count(*) AS n FROM 'told/deployment.parquet' WHERE seen = 'right' AND expected LIKE 'Expressway-E%'",
            "SELECT count(*) AS n FROM 'told/logs.parquet' WHERE text LIKE '%ICE failure%' AND time IS NOT NULL",
        ],
    );
    assert!(beside.iter().all(|rows| rows[0]["n"].as_u64() > Some(0)), "{beside:?}");
    let wrong = &answers[0][0];
    assert_eq!(
        (&wrong["finding"], &wrong["server"]),
        (&"turn-integrity-rejected".into(), &"10.88.246.156:3478".into())
    );
    assert!(wrong["captures"].as_u64().unwrap() > 5, "{wrong}");
    assert!(answers[1].iter().any(|row| row["username"] == "turnuser" && row["error_code"] == 401), "{:?}", answers[1]);
    assert!(
        answers[2].iter().all(|row| row["requests"].as_u64() > Some(0)) && answers[2].len() > 3,
        "{:?}",
        answers[2]
    );
    let captures = &answers[3][0];
    assert!(captures["n"].as_u64().unwrap() > 50 && captures["n"] == captures["ids"], "{captures}");
    // the digits of nanoseconds are there
    assert_eq!(captures["first"].as_str().map(|time| time.starts_with("2017-05-20")), Some(true), "{captures}");
    assert_eq!(answers[4][0]["n"], captures["n"]);
    assert_eq!(answers[5], [serde_json::json!({ "error_code": 431, "method": "Allocate", "frame": 27 })]);
    assert_eq!(answers[6], [serde_json::json!({ "type": "TIMESTAMPTZ_NS" })]);
    for (what, rows) in
        ["pairs", "handshakes", "connections", "allocations", "packets", "servers"].iter().zip(&answers[7..])
    {
        assert!(rows[0]["n"].as_f64() > Some(0.0), "no {what}: {rows:?}");
    }
}
