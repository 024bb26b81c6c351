"""The rules that submissions keep, each with what it asks, why, and how it is put right."""

from __future__ import annotations

from collections.abc import Mapping

from tokonomy.submit.findings import Rule, Topic


def _rule(id_: str, asks: str, why: str, instead: str) -> Rule:
    topic: Topic = id_.partition("-")[0]  # type: ignore[assignment]  # a test holds them to Topic
    return Rule(id=id_, topic=topic, asks=asks, why=why, instead=instead)


_ALL = (
    _rule(
        "layout-folder",
        "A method is a file in methods/tokonomy_methods/FAMILY/, a task one in "
        "tasks/tokonomy_tasks/FAMILY/, where FAMILY is one of its families or, for tasks of "
        "language models, language.",
        "Readers find a method by its family, and so does the catalogue.",
        "Move the file; `tokonomy new` puts it in its place.",
    ),
    _rule(
        "layout-name",
        "The file has the id of its card as its name, with _ for -.",
        "An id that is not the file's name is looked for in vain.",
        "Rename the file, or the id.",
    ),
    _rule(
        "layout-test",
        "A file tests/**/test_NAME.py comes with it.",
        "The contract is tested for every method; whether the rule is the paper's, only its own "
        "test can tell.",
        "Write cases worked by hand; `tokonomy new` writes a first one.",
    ),
    _rule(
        "layout-kind",
        "Files of a submission are Python, Markdown, YAML, JSON, text, records or safetensors; "
        "none is a link.",
        "Weights in other formats and archives can run code when they are opened.",
        "Save weights with safetensors, and leave out what is built.",
    ),
    _rule(
        "layout-text",
        "A file is text in UTF-8 of at most 200 KiB, parses as Python 3.11, and has no control "
        "characters and none that change the direction of text.",
        "What a reviewer sees must be what runs.",
        "Save it as plain UTF-8.",
    ),
    _rule(
        "card-literal",
        "The file has CARD = MethodCard(...) or TaskCard(...), with nothing but literals inside.",
        "Cards are read without running the file.",
        "Write values out; leave names and calls out of the card.",
    ),
    _rule(
        "card-id",
        "The id is no other's.",
        "Records, pages and links go by it.",
        "Choose another id.",
    ),
    _rule(
        "card-text",
        "Texts of a card are one line each, of at most 600 characters, without markup and control "
        "characters.",
        "They stand on pages, in terminals and in tables of others.",
        "Plain sentences.",
    ),
    _rule(
        "card-links",
        "paper is the id of an arXiv paper such as 2210.09461, code is owner/repository.",
        "Pages make links of them.",
        "Leave out what is elsewhere, and name it in differences.",
    ),
    _rule(
        "card-differences",
        "Where reference code is named, the card says in what this differs from it, or none.",
        "A number is believed to be the paper's unless the card says otherwise.",
        'List each departure in differences, or say "none known" and why.',
    ),
    _rule(
        "parameters-frozen",
        "One class is marked @implements(CARD) and is a frozen dataclass with keyword-only fields.",
        "Its fields are the hyper-parameters; what could change between calls would not be in the "
        "record.",
        "@implements(CARD) above @dataclass(frozen=True, slots=True, kw_only=True).",
    ),
    _rule(
        "parameters-default",
        "Every field has a type and a default, and is described under Attributes in the docstring.",
        "`tokonomy run --method ID` must work, and a reader must know what is turned.",
        "name: type = value, and a line under Attributes.",
    ),
    _rule(
        "parameters-swept",
        "The sweep names fields of the class only, and no setting twice.",
        "A sweep that cannot be built measures nothing.",
        "Correct the names.",
    ),
    _rule(
        "imports-allowed",
        "A method imports the standard library's pure modules, torch, numpy, sklearn, "
        "transformers, and of this project errors, catalog, families and tokonomy_methods; a task "
        "may read files, and use datasets, lm_eval, skimage, PIL and safetensors as well. Its YAML "
        "names functions of modules beside it alone, and includes no other file.",
        "Clocks, processes, networks and files have no place in what is timed.",
        "Take what the context and the family offer; say in the pull request what is missing.",
    ),
    _rule(
        "imports-run",
        "No eval, exec, compile, open, importlib, pickle, torch.load, trust_remote_code, or other "
        "way around the rule on imports; a task may open files. Templates of its YAML show fields, "
        "as {{ question }}; its metrics are no paths, and its data is in the repository or a hub.",
        "They run code that no reviewer has read.",
        "safetensors for weights, literals for data.",
    ),
    _rule(
        "licence-named",
        "Where reference code is named, so is its licence.",
        "Readers must know what they may do with it.",
        'code_licence="MIT", or "none".',
    ),
    _rule(
        "licence-own",
        "The file has no copyright or licence notice of others.",
        "Code here is written anew and is under this project's licence.",
        "Write your own; name the source on the card.",
    ),
    _rule(
        "contract-prepare",
        "A method's class has prepare(self, model, context), with types.",
        "It is what the harness calls.",
        "def prepare(self, model: VisionModel, context: Context) -> Predict.",
    ),
    _rule(
        "contract-samples",
        "A task's class has samples(self, split), with types.",
        "It is what the harness calls.",
        "def samples(self, split: str) -> ImageSet, or -> Requests.",
    ),
    _rule(
        "contract-tests",
        "The contract's tests of its family pass for it, and so do its own.",
        "They are what every number on the site rests on.",
        "Run the test that is named; `tokonomy check` prints how.",
    ),
    _rule(
        "contract-limits",
        "Its tests end within the time and the memory that they are given.",
        "A test that does not end keeps everyone's waiting.",
        "Use smaller cases, or find the loop.",
    ),
    _rule(
        "records-valid",
        "Every line of a file of records is a record, whose key is the hash of its cell.",
        "A record that cannot be checked cannot be published.",
        "`tokonomy results export FILE`; records are not edited.",
    ),
    _rule(
        "records-new",
        "A run is published once.",
        "What is published twice can be changed in one place and not in the other.",
        "Export the new runs only.",
    ),
    _rule(
        "records-kept",
        "What was published stays as it was: files of records and statements only grow.",
        "A figure that can be changed later proves nothing.",
        "Put the old lines back and add new ones below; a mistake is superseded by a new run, or "
        "withdrawn by `tokonomy results mark`.",
    ),
    _rule(
        "records-stated",
        "A file of statements holds statements, and none that only maintainers make.",
        "That a figure was reproduced is worth something only if those say it who reproduced it.",
        "Leave out what `ci/collect.py` writes; anyone may sign off, dispute or withdraw.",
    ),
    _rule(
        "claims-sourced",
        "A claim is a finite number with a unit, and says where it stands.",
        "It is shown beside what is measured.",
        'value=2.2, unit="x", source="table 1".',
    ),
)

RULES: Mapping[str, Rule] = {rule.id: rule for rule in _ALL}
