#!/usr/bin/python3
"""A window with nothing in it but a page, for WebKitWebDriver to drive.

Run by the system's Python, which has GTK's bindings. The size of the page is WK_SIZE, such as
390x844, exactly: MiniBrowser cannot be narrower than its toolbar. WK_SCRIPT names a file with a
script that runs in each page before the page's own. With --picture FILE it writes what the display
shows as PNG instead: the driver's own screenshots never come where nothing composes windows.
"""

import os
import sys
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gdk, Gtk, WebKit2  # noqa: E402

WIDTH, HEIGHT = map(int, os.environ.get("WK_SIZE", "390x844").split("x"))


def main() -> None:
    """Wait for a session, and show a view for it."""
    context = WebKit2.WebContext.new_ephemeral()
    context.set_automation_allowed(True)
    context.connect("automation-started", _started, context)
    Gtk.main()


def _started(_context: Any, session: Any, context: Any) -> None:
    about = WebKit2.ApplicationInfo()
    about.set_name("MiniBrowser")  # the name the driver asks for
    about.set_version(2, 50, 0)
    session.set_application_info(about)
    session.connect("create-web-view", lambda _session: _view(context))


def _view(context: Any) -> Any:
    content = WebKit2.UserContentManager()
    if "WK_SCRIPT" in os.environ:
        content.add_script(
            WebKit2.UserScript.new(
                Path(os.environ["WK_SCRIPT"]).read_text(encoding="utf-8"),
                WebKit2.UserContentInjectedFrames.TOP_FRAME,
                WebKit2.UserScriptInjectionTime.START,
                None,
                None,
            )
        )
    view = WebKit2.WebView(
        web_context=context,
        is_controlled_by_automation=True,
        user_content_manager=content,
        settings=WebKit2.Settings(
            hardware_acceleration_policy=WebKit2.HardwareAccelerationPolicy.NEVER
        ),
    )
    window = Gtk.Window()
    window.set_default_size(WIDTH, HEIGHT)
    window.set_decorated(False)
    window.add(view)
    window.show_all()
    return view


def picture(path: str) -> None:
    """Write the part of the display that the window fills."""
    root = Gdk.get_default_root_window()
    Gdk.pixbuf_get_from_window(root, 0, 0, WIDTH, HEIGHT).savev(path, "png", [], [])


if __name__ == "__main__":
    if sys.argv[1:2] == ["--picture"]:
        picture(sys.argv[2])
    else:
        main()
