//! Where the keys of a DAG command stand.

use crate::testing::argv;
use crate::{Access, command, keys};

fn found(line: &str) -> Vec<(String, Access)> {
    let argv = argv(line);
    let mut found = Vec::new();
    keys(command(argv[0]).unwrap(), &argv, |key, access| {
        found.push((String::from_utf8_lossy(argv[key]).into_owned(), access));
    });
    found
}

#[test]
fn every_form() {
    use Access::{Overwrite, Read, Route, Update};
    for (line, expected) in [
        (
            "AI.DAGEXECUTE load 2 a LOAD routing r persist 2 b |> timeout 5 |> AI.TENSORGET a",
            vec![
                ("a", Read),
                ("LOAD", Read),
                ("r", Route),
                ("b", Overwrite),
                ("|>", Overwrite),
            ],
        ),
        (
            "AI.DAGEXECUTE ROUTING r |> AI.TENSORSET x STRING 1 VALUES AI.MODELEXECUTE \
             |> ai.modelexecute m INPUTS 1 x OUTPUTS 1 y |> AI.MODELEXECUTE AI.MODELEXECUTE INPUTS",
            vec![("r", Route), ("m", Read), ("AI.MODELEXECUTE", Read)],
        ),
        (
            "AI.DAGEXECUTE ROUTING r |> AI.SCRIPTEXECUTE s f INPUTS 1 x KEYS 2 k l ARGS 1 a |> AI.TENSORGET x",
            vec![("r", Route), ("s", Read), ("k", Update), ("l", Update)],
        ),
        (
            "AI.DAGEXECUTE_RO LOAD 1 a |> AI.TENSORSET x UINT8 2 BLOB |> |> AI.MODELEXECUTE m",
            vec![("a", Read), ("m", Read)],
        ),
        (
            "AI.DAGRUN |> AI.MODELRUN m INPUTS a OUTPUTS b |> AI.SCRIPTRUN s f",
            vec![("m", Read), ("s", Read)],
        ),
        ("AI.DAGRUN_RO LOAD 1 a |> AI.TENSORGET a", vec![("a", Read)]),
    ] {
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(key, access)| (key.to_owned(), access))
            .collect();
        assert_eq!(found(line), expected, "{line}");
    }
}

#[test]
fn nonsense_gives_what_is_there() {
    for (line, count) in [
        ("AI.DAGEXECUTE", 0),
        ("AI.DAGEXECUTE LOAD", 0),
        ("AI.DAGEXECUTE LOAD x a", 0),
        ("AI.DAGEXECUTE LOAD -1 a", 0),
        ("AI.DAGEXECUTE LOAD 9223372036854775807 a b", 2),
        ("AI.DAGEXECUTE PERSIST 1 a PERSIST 1 b", 2),
        ("AI.DAGEXECUTE ROUTING", 0),
        ("AI.DAGEXECUTE TIMEOUT", 0),
        ("AI.DAGEXECUTE TIMEOUT 1", 0),
        ("AI.DAGEXECUTE x LOAD 1 a |> AI.MODELEXECUTE m", 1),
        ("AI.DAGEXECUTE |>", 0),
        (
            "AI.DAGEXECUTE |> |> AI.MODELEXECUTE |> AI.MODELEXECUTE m |>",
            1,
        ),
    ] {
        assert_eq!(found(line).len(), count, "{line}");
    }
}
