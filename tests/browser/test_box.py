"""The box on the home page: signs beside its rows, what is wrong and where, files, Paste."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Open, Witness
from tests.browser.test_main_path import until

LONG = "https://www.tiktok.com/@nora.films/story/7300000000000000001?" + "is_from_webapp=1&" * 9


@pytest.fixture
def box(visit: Open) -> Page:
    """The home page, on a desktop."""
    page = visit()
    page.goto("/")
    return page


def kinds(page: Page) -> list[str]:
    """The sign of each row."""
    read = "[...document.querySelectorAll('.mirror > div')].map((row) => row.dataset.kind)"
    found: list[str] = page.evaluate(read)
    return found


def test_each_row_has_its_sign(box: Page) -> None:
    rows = [
        "@nora",
        "",
        "https://www.tiktok.com/@a1/story/7300000000000000001",
        "https://vm.tiktok.com/ZMabcdef1/",
        "https://www.tiktok.com/@a1/video/7300000000000000002",
        "https://www.tiktok.com/tag/cats",
        "nora",
        "@a1, @b1, @c1",
        "@d1, https://example.com/x",
    ]
    box.fill("#id_text", "\n".join(rows))
    until(box, "document.querySelectorAll('.mirror > div').length === 9")
    assert kinds(box) == ["user", "", "story", "short", "post", "bad", "twice", "3", "bad"]
    box.fill("#id_text", "@nora")
    until(box, "document.querySelectorAll('.mirror > div').length === 1")


@pytest.mark.parametrize("device", ["phone", "desktop"])
@pytest.mark.parametrize(
    "text", ["@nora", LONG, f"{LONG}\n@nora  \n\n{LONG}\nאבג @ab\n\tx", "@a\n" * 60]
)
def test_signs_keep_step_with_wrapping_and_scrolling(device: str, text: str, visit: Open) -> None:
    page = visit(device)
    page.goto("/")
    page.fill("#id_text", text)
    rows = text.count("\n") + 1
    until(page, f"document.querySelectorAll('.mirror > div').length === {rows}")
    box, mirror = "document.querySelector('#id_text')", "document.querySelector('.mirror')"
    until(page, f"{mirror}.scrollHeight === {box}.scrollHeight")
    until(page, f"{mirror}.clientHeight === {box}.clientHeight")
    page.evaluate(f"{box}.scrollTop = 200")
    until(page, f"{mirror}.scrollTop === {box}.scrollTop")


def test_what_is_wrong_is_named_and_can_be_removed(box: Page) -> None:
    text = "@nora\nhttps://www.tiktok.com/tag/cats\n@b1, https://example.com/x\n@c1"
    box.fill("#id_text", text)
    attention = box.locator("[data-attention]")
    expect(attention.get_by_role("heading")).to_have_text("2 lines will be skipped")
    first = attention.get_by_role("listitem").first
    expect(first).to_contain_text("Line 2")
    expect(first).to_contain_text(re.compile("This is a (tag|hashtag) page, not a story."))
    expect(attention.get_by_role("listitem").last).to_contain_text("another site (example.com)")
    expect(box.locator("[data-submit]")).to_have_text("Save from 3 accounts")
    first.get_by_role("button", name="Line 2").click()
    assert box.evaluate("getSelection().toString()") == "https://www.tiktok.com/tag/cats"
    first.get_by_role("button", name="Remove").click()
    expect(box.locator("#id_text")).to_have_value("@nora\n@b1, https://example.com/x\n@c1")
    expect(attention.get_by_role("button", name=re.compile("Remove: "))).to_be_focused()
    attention.get_by_role("button", name=re.compile("Remove: ")).press("Enter")
    expect(box.locator("#id_text")).to_have_value("@nora\n@b1\n@c1")
    expect(attention).to_be_hidden()
    expect(box.locator("#id_text")).to_be_focused()


def test_what_is_wrong_twice_is_removed_at_once(box: Page) -> None:
    box.fill(
        "#id_text", "@nora\nbad line !!\nbad line !!\nhttps://example.com/a\nhttps://example.com/a"
    )
    attention = box.locator("[data-attention]")
    attention.get_by_role("button", name="Remove: bad line !!").click()
    expect(box.locator("#id_text")).to_have_value(
        "@nora\nhttps://example.com/a\nhttps://example.com/a"
    )
    box.fill("#id_text", "bad line !!\n@nora\nbad line !!\nhttps://example.com/a\nbad line !!")
    attention.get_by_role("button", name="Remove all").click()
    expect(box.locator("#id_text")).to_have_value("@nora")


def test_a_hostile_line_is_shown_as_it_is(box: Page) -> None:
    box.fill("#id_text", '@nora\n<img src=x onerror="alert(1)">')
    expect(box.locator("[data-attention] .typed")).to_have_text('<img src=x onerror="alert(1)">')


def test_a_post_can_be_kept_from_where_it_is_named(box: Page) -> None:
    box.fill("#id_text", "https://www.tiktok.com/@a1/video/7300000000000000002")
    attention = box.locator("[data-attention]")
    expect(attention).to_contain_text("This is an ordinary post, not a story.")
    expect(box.locator("[data-submit]")).to_have_text("Save stories")
    attention.get_by_role("button", name="Save posts too").click()
    expect(attention).to_be_hidden()
    expect(box.locator("[data-submit]")).to_have_text("Save 1")


def test_a_chip_leads_to_the_next_line_of_its_kind(box: Page) -> None:
    box.fill("#id_text", "@nora\n???\n@b1\n!!!")
    chip = box.get_by_role("button", name="2 not understood")
    for selected in ("???", "!!!", "???"):
        chip.click()
        assert box.evaluate("getSelection().toString()") == selected
    box.fill("#id_text", "\n".join(f"@name{number}" for number in range(53)))
    box.get_by_role("button", name="3 lines too many").click()
    assert box.evaluate("getSelection().toString()") == "@name50"


# --- what the server refused ----------------------------------------------------------------------


def refuse(page: Page, text: str) -> None:
    """Send a text past the page's own checks, and see it refused."""
    page.fill("#id_text", text)
    page.evaluate("document.querySelector('form[data-composer]').submit()")
    expect(page.locator("#problem")).to_be_visible()


def test_what_the_server_refuses_is_said_once(box: Page, witness: Witness) -> None:
    witness.expected.append("422")
    refuse(box, "https://www.tiktok.com/tag/cats\n\n??? what is this")
    expect(box.get_by_role("alert")).to_have_text("None of these lines can be saved.")
    main = box.locator("main").inner_text()
    assert main.count("This is a hashtag page, not a story.") == 1
    assert main.count("Line 3") == 1
    said = box.evaluate(
        """document.querySelector("#id_text").getAttribute("aria-describedby").split(" ")
            .map((id) => document.getElementById(id).textContent).join(" | ")"""
    )
    assert re.search("(?s)can be saved.*hashtag page.*No TikTok name.*Up to 50 lines", said)
    box.get_by_role("button", name=re.compile("Remove: .*cats")).click()
    expect(box.locator("#id_text")).not_to_have_value(re.compile("cats"))
    expect(box.locator("main")).not_to_contain_text("hashtag page")


def test_a_line_too_many_is_said_once(box: Page, witness: Witness) -> None:
    witness.expected.append("422")
    refuse(box, "\n".join(f"@name{number}" for number in range(51)))
    expect(box.get_by_role("alert")).to_contain_text("One job holds at most 50 lines.")
    expect(box.get_by_role("alert")).not_to_contain_text("Line 51")
    box.get_by_role("button", name="1 line too many").click()
    assert box.evaluate("getSelection().toString()") == "@name50"


def test_what_only_the_server_finds_stays(box: Page, witness: Witness) -> None:
    witness.expected.append("422")
    refuse(box, "??? what is this\nseen by @nora\0")
    said = box.get_by_role("alert").get_by_role("listitem")
    expect(said).to_have_text("Line 2: Null characters are not allowed.")


def test_without_a_script_the_server_says_it_all(visit: Open, witness: Witness) -> None:
    witness.expected.append("422")
    page = visit("phone", java_script_enabled=False)
    page.goto("/")
    page.fill("#id_text", "https://www.tiktok.com/tag/cats")
    page.locator("[data-submit]").click()
    expect(page.get_by_role("alert")).to_contain_text("This is a hashtag page, not a story.")
    expect(page.locator("[data-attention]")).to_be_hidden()


# --- files ----------------------------------------------------------------------------------------

FILES = {
    "list.txt": (b"@nora\r\n\r\nquiet.owl\r\n", "@nora\nquiet.owl", ""),
    "byte order.txt": ("\ufeff@zoe1".encode("utf-16"), "@zoe1", ""),
    "links.csv": (
        b"\r\n".join(
            (
                b"Who;What;Link",
                b'"Nora ""N"" F";x;https://www.tiktok.com/@nora',
                b"Owl;y;https://www.tiktok.com/@quiet.owl",
                b"Owl;z;https://www.tiktok.com/@quiet.owl?x=1",
            )
        ),
        "https://www.tiktok.com/@nora\nhttps://www.tiktok.com/@quiet.owl",
        "",
    ),
    "names.csv": (b"No,Username,Country\n1,nora,DE\n2,quiet.owl,FR\n", "nora\nquiet.owl", ""),
    "quoted.csv": (b'note,account\n"two\nlines, and a comma",nora\n', "nora", ""),
    "stray quotes.csv": (
        b'user,note\n@nora,5" long\n"@b1" ,x\n@zoe1,"no end\n',
        "@nora\n@b1\n@zoe1",
        "",
    ),
    "column.csv": (b"username\nnora\nquiet.owl\n", "nora\nquiet.owl", ""),
    "mail.csv": (b"mail,age\nnora@example.com,4\n", "", "No TikTok names or links in mail.csv."),
    "empty.txt": (b" \n", "", "No TikTok names or links in empty.txt."),
    "cat.txt": (b"\x89PNG\0\0", "", "cat.txt is not a text file."),
    "big.csv": (b"@nora\n" * 200_000, "", "big.csv is larger than 1 MB."),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_into_the_box(name: str, box: Page) -> None:
    content, text, said = FILES[name]
    given: FilePayload = {"name": name, "mimeType": "text/plain", "buffer": content}
    with box.expect_file_chooser() as chooser:
        box.get_by_role("button", name="Open a file").click()
    chooser.value.set_files([given])
    expect(box.locator("#id_text")).to_have_value(text)
    expect(box.locator("[data-file-said]")).to_have_text(said)


def test_a_dropped_file_goes_below_what_is_there(box: Page, tmp_path: Path) -> None:
    box.fill("#id_text", "@first")
    box.evaluate(
        """() => {
            const data = new DataTransfer();
            data.items.add(new File(["@nora\\n@b1"], "list.txt", {type: "text/plain"}));
            const event = (name) => new DragEvent(name, {dataTransfer: data, bubbles: true,
                cancelable: true});
            document.body.dispatchEvent(event("dragover"));
            if (!document.querySelector(".dropping")) throw new Error("nothing shows");
            if (document.body.dispatchEvent(event("drop"))) throw new Error("the page would go");
        }"""
    )
    expect(box.locator("#id_text")).to_have_value("@first\n@nora\n@b1")
    expect(box.locator(".dropping")).to_have_count(0)


# --- Paste ----------------------------------------------------------------------------------------


def pasted(visit: Open, text: str, before: str = "") -> Page:
    """A page on which Paste was tapped; its clock stands still."""
    page = visit("phone", service_workers="block")
    page.add_init_script(f"navigator.clipboard.readText = async () => {text!r};")
    page.clock.install()
    page.goto("/")
    page.fill("#id_text", before)
    page.clock.run_for(1000)
    page.get_by_role("button", name="Paste").tap()
    return page


def test_paste_starts_by_itself(visit: Open) -> None:
    page = pasted(visit, "@tiny.garden")
    expect(page.get_by_role("status").filter(has_text="Starting…")).to_be_visible()
    page.clock.run_for(3500)
    page.wait_for_url(re.compile(r"/jobs/"))


def test_paste_can_be_undone_before_anything_is_sent(visit: Open) -> None:
    page = pasted(visit, "@never.sent")
    page.get_by_role("button", name="Undo").tap()
    expect(page.locator("#id_text")).to_have_value("")
    page.clock.run_for(5000)
    expect(page.locator("[data-starting]")).to_be_hidden()
    assert "/jobs/" not in page.url


@pytest.mark.parametrize(
    ("text", "before"),
    [
        ("hunter22", ""),  # a word could be anything, a password too
        ("correct horse @battery staple", ""),
        ("Pa$$@word1!", ""),
        ("@never.sent\nnora", ""),
        ("@never.sent\nhttps://example.com/x", ""),
        ("https://www.tiktok.com/@a1/video/7300000000000000002", ""),
        ("@never.sent", "@what.i.typed"),
        ("\n".join(f"@never{number}" for number in range(51)), ""),
    ],
)
def test_what_leaves_a_doubt_is_put_into_the_box_alone(text: str, before: str, visit: Open) -> None:
    page = pasted(visit, text, before)
    expect(page.locator("#id_text")).to_have_value("\n".join(filter(None, (before, text))))
    page.clock.run_for(5000)
    expect(page.locator("[data-starting]")).to_be_hidden()
    assert "/jobs/" not in page.url


def test_a_file_that_is_dropped_stops_what_would_start(visit: Open) -> None:
    page = pasted(visit, "@never.sent")
    expect(page.locator("[data-starting]")).to_be_visible()
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["@nora"], "list.txt", {type: "text/plain"}));
            document.body.dispatchEvent(new DragEvent("drop", {dataTransfer, bubbles: true,
                cancelable: true}));
        }"""
    )
    expect(page.locator("#id_text")).to_have_value("@never.sent\n@nora")
    page.clock.run_for(5000)
    expect(page.locator("[data-starting]")).to_be_hidden()
    assert "/jobs/" not in page.url


def test_typing_on_stops_what_would_start(visit: Open) -> None:
    page = pasted(visit, "@never.sent")
    page.locator("#id_text").press("x")
    page.clock.run_for(5000)
    expect(page.locator("[data-starting]")).to_be_hidden()
    assert "/jobs/" not in page.url


def test_a_line_and_what_stands_in_it_are_on_one_height(visit: Open) -> None:
    page = visit("phone")
    page.goto("/")
    page.locator("#id_text").fill("@nora\nexample.com/x")
    entry = page.locator("[data-attention] li p")
    line = entry.get_by_role("button", name="Line 2").bounding_box()
    typed = entry.locator(".typed").bounding_box()
    assert line
    assert typed
    assert line["height"] >= 44
    middles = [box["y"] + box["height"] / 2 for box in (line, typed)]
    assert middles[0] == pytest.approx(middles[1], abs=1)
