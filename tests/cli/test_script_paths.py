"""Paths in scripts: every way that people of four languages write one, and nothing that is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datomfs.cli.script_paths import find_selections
from datomfs.layout import Selection
from datomfs.model.names import is_name

PROJECTS = {"STUDY_001", "STUDY_002", "STUDY", "Study (1)"}


def found(script: str) -> list[str]:
    return [str(selection) for selection in find_selections(script, PROJECTS)]


# -- one path ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "selection"),
    [
        ("/mnt/datom/STUDY_001/dm.parquet", "STUDY_001/dm"),
        ("/mnt/datom/STUDY_001/dm/@8a3b21cc.parquet", "STUDY_001/dm@8a3b21cc"),
        ("/mnt/datom/STUDY_001/dm/dm_8a3b21cc.parquet", "STUDY_001/dm@8a3b21cc"),
        ("/mnt/datom/STUDY_001/dm", "STUDY_001/dm"),
        ("/mnt/datom/STUDY_001/dm/", "STUDY_001/dm"),
        ("/mnt/datom/STUDY_001/dm/*.parquet", "STUDY_001/dm"),
        ("/mnt/datom/STUDY_001/@2026-03-31", "STUDY_001@2026-03-31"),
        ("/mnt/datom/STUDY_001/@2026-03-31/", "STUDY_001@2026-03-31"),
        ("/mnt/datom/STUDY_001/@2026-03-31/*.parquet", "STUDY_001@2026-03-31"),
        ("/mnt/datom/STUDY_001/@2026-03-31/dm.parquet", "STUDY_001/dm@2026-03-31"),
        ("/mnt/datom/STUDY_001/@20260331T120000Z/dm.parquet", "STUDY_001/dm@20260331T120000Z"),
        ("/mnt/datom/STUDY_001", "STUDY_001"),
        ("/mnt/datom/STUDY_001/", "STUDY_001"),
        ("/mnt/datom/STUDY_001/*.parquet", "STUDY_001"),
        ("/mnt/datom/STUDY_001/ad*.parquet", "STUDY_001"),
        ("/mnt/datom/STUDY_001/**/*.parquet", "STUDY_001"),
        ("/mnt/datom//STUDY_001//dm.parquet", "STUDY_001/dm"),
        ("/mnt/datom/Study (1)/My table (2) - v2.parquet", "Study (1)/My table (2) - v2"),
        ("/mnt/datom/Study (1)", "Study (1)"),
        ("/home/STUDY_001/mnt/STUDY_002/dm.parquet", "STUDY_002/dm"),
        ("STUDY_001/dm.parquet", "STUDY_001/dm"),
        ("file:///mnt/datom/STUDY_001/dm.parquet", "STUDY_001/dm"),
        ("&root./STUDY_001/dm.parquet", "STUDY_001/dm"),
        ("${ROOT}/STUDY_001/&name..parquet", "STUDY_001"),
        ("{root}/STUDY_001/{name}.parquet", "STUDY_001"),
        ("%s/STUDY_001/%s.parquet", "STUDY_001"),
        ("/mnt/datom/STUDY_001{rest}", "STUDY_001"),
    ],
)
@pytest.mark.parametrize("line", ['x <- read("{}")', "open('{}', 'rb')", 'libname study parquet "{}";', '(0,"{}")'])
def test_a_quoted_path_is_found(line: str, path: str, selection: str) -> None:
    assert [selection] == found(line.replace("{}", path))


@pytest.mark.parametrize(
    "path",
    [
        "STUDY_001",
        "/mnt/datom/STUDY_003/dm.parquet",
        "/mnt/datom/STUDY_0011/dm.parquet",
        "/mnt/datom/MY STUDY_001/dm.parquet",
        "/mnt/datom/STUDY_001 (2)/dm.parquet",
        "/mnt/datom/study_001/dm.parquet",
        "/mnt/datom/STUDY_001/dm.csv",
        "/mnt/datom/STUDY_001/dm/ex_8a3b21cc.parquet",
        "/mnt/datom/STUDY_001/dm/@8A3B21CC.parquet",
        "/mnt/datom/STUDY_001/@2026-02-30/dm.parquet",
        "/mnt/datom/STUDY_001/.datom/ref.json",
        "/mnt/datom/STUDY_001/../dm.parquet",
        "/home/me/STUDY_001/analysis.R",
        "https://github.com/acme/STUDY_001",
        "s3://acme/STUDY_001/dm.parquet",
    ],
)
def test_what_names_nothing_in_a_known_project_is_passed_over(path: str) -> None:
    assert [] == found(f'x <- read("{path}")')


def test_the_order_is_that_of_the_script_and_nothing_comes_twice() -> None:
    script = """
    ex <- read("/mnt/datom/STUDY_001/ex.parquet")
    dm <- read("/mnt/datom/STUDY_001/dm.parquet"); old <- read("/mnt/datom/STUDY_001/dm/@8a3b21cc.parquet")
    again <- read("/elsewhere/STUDY_001/ex.parquet")
    """
    assert ["STUDY_001/ex", "STUDY_001/dm", "STUDY_001/dm@8a3b21cc"] == found(script)


def test_without_projects_there_is_nothing_to_find() -> None:
    assert () == find_selections('read("/mnt/datom/STUDY_001/dm.parquet")', [])


# -- languages -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "selections"),
    [
        ("cp /mnt/datom/STUDY_001/dm.parquet /mnt/datom/STUDY_002/ex.parquet out", ["STUDY_001/dm", "STUDY_002/ex"]),
        ("for f in /mnt/datom/STUDY_001/*.parquet; do ls /*/; done", ["STUDY_001"]),
        ("ls /mnt/datom/STUDY_001; ls /mnt/datom/STUDY_002", ["STUDY_001", "STUDY_002"]),
        ('cp "$ROOT"/STUDY_001/dm.parquet x', ["STUDY_001/dm"]),
        ('cp /mnt/datom/"Study (1)"/my\\ table.parquet "a b"', ["Study (1)/my table"]),
        ("prog \\\n  --input /mnt/datom/STUDY_001/dm.parquet", ["STUDY_001/dm"]),
        ("prog -- /mnt/datom/STUDY_001/dm.parquet", ["STUDY_001/dm"]),
        ("cd STUDY_001/", ["STUDY_001"]),
        ("python run.py --data=STUDY_001/dm.parquet", ["STUDY_001/dm"]),
        ("    *glob('/mnt/datom/STUDY_001/*.parquet'),", ["STUDY_001"]),
        ("x = ${y#/mnt/datom/STUDY_001/dm.parquet}", ["STUDY_001/dm"]),
        ("""q("SELECT * FROM '/mnt/datom/STUDY_001/my dm.parquet' d")""", ["STUDY_001/my dm"]),
        ("""it's "/mnt/datom/STUDY_001/my dm.parquet", isn't it""", ["STUDY_001/my dm"]),
        ('c("/mnt/datom/STUDY_001/dm.parquet", "/mnt/datom/STUDY_002/dm.parquet")', ["STUDY_001/dm", "STUDY_002/dm"]),
        ('5" or "/mnt/datom/STUDY_001/my dm.parquet"', ["STUDY_001/my", "STUDY_001/my dm"]),
        ('rm -r /* || use "/mnt/datom/STUDY_001/dm.parquet"', ["STUDY_001/dm"]),
        ('title "STUDY_001 and STUDY_002";', []),
        ('title "see MY STUDY_001/dm.parquet";', []),
        ("ratio = STUDY_001/2", []),
    ],
)
def test_lines_of_shells_and_others_are_read(line: str, selections: list[str]) -> None:
    assert selections == found(line)


@pytest.mark.parametrize(
    ("line", "selection"),
    [
        ('file.path("/mnt/datom/STUDY_001", "dm.parquet")', "STUDY_001/dm"),
        ('file.path("/mnt/datom",\n  "STUDY_001",\n  "dm.parquet")', "STUDY_001/dm"),
        ('file.path("/mnt/datom/STUDY_001", name)', "STUDY_001"),
        ('file.path(root, "STUDY_001", "dm", "@8a3b21cc.parquet")', "STUDY_001/dm@8a3b21cc"),
        ('file.path(root, "STUDY_001", "@2026-03-31", "dm.parquet")', "STUDY_001/dm@2026-03-31"),
        ('paste("/mnt/datom/STUDY_001", "dm.parquet", sep = "/")', "STUDY_001/dm"),
        ('paste("reading /mnt/datom/STUDY_001/dm.parquet", "now")', "STUDY_001/dm"),
        ('paste0("/mnt/datom/STUDY_001/", "dm", ".parquet")', "STUDY_001/dm"),
        ('paste0("/mnt/datom/STUDY_001/", name, ".parquet")', "STUDY_001"),
        ('paste0(root, "/STUDY_001/dm.parquet")', "STUDY_001/dm"),
        ('paste0(file.path("/mnt/datom", "STUDY_001"), "/dm", ".parquet")', "STUDY_001/dm"),
        ('os.path.join("/mnt/datom", "STUDY_001", "dm.parquet")', "STUDY_001/dm"),
        ('os.path.join(root, "STUDY_001", f"{name}.parquet")', "STUDY_001"),
        ('os.path.join(root, "/mnt/datom/STUDY_001", r"dm.parquet",)', "STUDY_001/dm"),
        ('Path("/mnt/datom") / "STUDY_001" / "dm.parquet"', "STUDY_001/dm"),
        ("Path('/mnt/datom')/'STUDY_001'/'dm.parquet'", "STUDY_001/dm"),
        ('Path("/mnt/datom", "STUDY_001", "dm.parquet")', "STUDY_001/dm"),
        ('Path("/mnt/datom") / "STUDY_001" / name', "STUDY_001"),
        ('ROOT / "STUDY_001" / "dm.parquet"', "STUDY_001/dm"),
        ('(here() / "STUDY_001").glob("*.parquet")', "STUDY_001"),
        ('Path("/mnt/datom").joinpath("STUDY_001", "dm.parquet")', "STUDY_001/dm"),
        ('root.joinpath("STUDY_001", "dm.parquet")', "STUDY_001/dm"),
        ('"/mnt/datom/STUDY_001" + "/dm.parquet"', "STUDY_001/dm"),
        ('"/mnt/datom/STUDY_001/" + name + ".parquet"', "STUDY_001"),
        ("'/mnt/datom/STUDY_001/' || 'dm.parquet'", "STUDY_001/dm"),
        ('", ".join(["/mnt/datom/STUDY_001/dm.parquet", "x"])', "STUDY_001/dm"),
        ('file.path("/mnt/datom/Study (1)", "my table.parquet")', "Study (1)/my table"),
    ],
)
def test_a_path_that_is_put_together_is_found_whole(line: str, selection: str) -> None:
    assert [selection] == found(f"x <- read({line})")


@pytest.mark.parametrize(
    "comment",
    [
        '# read("/mnt/datom/STUDY_001/dm.parquet")',
        'x <- 1  # "/mnt/datom/STUDY_001/dm.parquet", don\'t',
        "#' @param file /mnt/datom/STUDY_001/dm.parquet",
        '/* libname x "/mnt/datom/STUDY_001"; */',
        'x = 1; /* libname x\n "/mnt/datom/STUDY_001";\n*/ y = 2;',
        '* libname x "/mnt/datom/STUDY_001";',
        "-- SELECT * FROM '/mnt/datom/STUDY_001/dm.parquet'",
        '// use "/mnt/datom/STUDY_001/dm.parquet"',
    ],
)
def test_comments_are_not_read_and_what_follows_is(comment: str) -> None:
    assert ["STUDY_002/ex"] == found(f'{comment}\nread("/mnt/datom/STUDY_002/ex.parquet")')


def test_what_looks_like_a_comment_in_a_text_is_none() -> None:
    assert ["STUDY_001/dm"] == found('f(" # /* ", "/mnt/datom/STUDY_001/dm.parquet", " */")')


# -- any text ------------------------------------------------------------------------------------------------------

NAMES = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_ ()-]{0,20}", fullmatch=True).filter(is_name)
PINS = st.sampled_from(["", "@8a3b21", "@" + "0f" * 32])
MOUNTS = st.sampled_from(["/mnt/datom", "/d", "~/data (mine)/studies"])
NOISE = st.lists(st.sampled_from(["x <- 1", "# don't", 'say "it\'s"', "a / b", "f(", ")", "* and;", "", "é — 表"]))
FRAGMENTS = st.lists(
    st.sampled_from(
        ["STUDY_001", "/", '"', "'", "`", "\\", "(", ")", ",", ".parquet", "@8a3b21cc", "@2026-03-31", "dm", " ",
         "\n", "#", "/*", "*/", "*", "--", "+", "||", "Path(", "paste0(", "file.path(", ".joinpath(", "os.path.join(",
         "sep=", "f", "://"]
    )
)  # fmt: skip

WHOLE = [
    'read("{}")',
    "read('{}', 1)",
    'libname a "{}";',
    "sql(\"SELECT * FROM '{}' AS t\")",
    'use "{}", clear',
    "`{}`",
]


def check_found(selection: Selection, script: str) -> None:
    assert selection in find_selections(script, {selection.project, "OTHER"})


def file_of(table: str, pin: str) -> str:
    return f"{table}/{pin}.parquet" if pin else f"{table}.parquet"


@given(MOUNTS, NAMES, NAMES, PINS, st.sampled_from(WHOLE), NOISE, NOISE)
def test_a_path_in_quotes_is_always_found(
    mount: str, project: str, table: str, pin: str, line: str, before: list[str], after: list[str]
) -> None:
    path = f"{mount}/{project}/{file_of(table, pin)}"
    script = "\n".join([*before, line.replace("{}", path), *after])
    check_found(Selection(project, table, pin.removeprefix("@") or None), script)


@given(NAMES, NAMES, PINS)
def test_a_path_in_pieces_is_always_found(project: str, table: str, pin: str) -> None:
    pieces = ["/mnt/datom", project, *file_of(table, pin).split("/")]
    quoted = [f'"{piece}"' for piece in pieces]
    selection = Selection(project, table, pin.removeprefix("@") or None)
    check_found(selection, f"read(file.path({', '.join(quoted)}))")
    check_found(selection, f"read(os.path.join(root, {', '.join(quoted[1:])}))")
    check_found(selection, f"read(Path({quoted[0]}) / {' / '.join(quoted[1:])})")
    check_found(selection, f'x <- paste({", ".join(quoted)}, sep = "/")')


@given(NAMES, NAMES, PINS)
def test_a_bare_path_with_its_blanks_escaped_is_always_found(project: str, table: str, pin: str) -> None:
    path = f"/mnt/datom/{project}/{file_of(table, pin)}"
    for letter in " ()":
        path = path.replace(letter, f"\\{letter}")
    check_found(Selection(project, table, pin.removeprefix("@") or None), f"cp {path} out")


@given(st.text() | FRAGMENTS.map("".join))
def test_any_text_is_read(script: str) -> None:
    for selection in find_selections(script, PROJECTS):
        assert selection.project in PROJECTS
