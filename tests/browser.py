"""A headless Chromium, driven by the DevTools protocol over a pipe.

https://chromedevtools.github.io/devtools-protocol: a message is JSON and a zero byte.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

__all__ = ["Browser", "find_chromium"]

# A shell gives it the descriptors 3 and 4 that it speaks on.
START = 'exec "$@" 3<&0 4>&1 </dev/null >&2'
# What waits for the sandbox, a display or the network is left out.
OPTIONS = [
    "--headless=new",
    "--remote-debugging-pipe",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--no-first-run",
    "--no-proxy-server",
    "--no-sandbox",
]
WAIT_FOR_TEXT = """new Promise(done => {
    const look = () => {
        if (document.body.innerText.split(/\\s+/).join(" ").includes(%s)) { done(); }
    };
    new MutationObserver(look).observe(
        document.body, {subtree: true, childList: true, characterData: true});
    look();
})"""


def find_chromium() -> str | None:
    """The command, or None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next(filter(None, map(shutil.which, names)), None)


class Browser:
    """One window with one page; for `with`.  `profile`: a folder of its own."""

    def __init__(self, command: str, profile: Path) -> None:
        environment = {**os.environ, "HOME": str(profile.parent)}
        environment.pop("LD_PRELOAD", None)  # a sanitizer of ours
        self._log = (profile.parent / f"{profile.name}.log").open("wb")
        options = [*OPTIONS, f"--user-data-dir={profile}", "--window-size=480,800"]
        self._process = subprocess.Popen(
            ["sh", "-c", START, "sh", command, *options, "about:blank"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env=environment,
        )
        self._number = 0
        self._session: str | None = None
        self._loaded: list[str] = []  # by their loaders: the pages that were, in order
        targets = self._call("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        attached = self._call("Target.attachToTarget", targetId=page, flatten=True)
        self._session = attached["sessionId"]
        self._call("Page.enable")
        self._call("Page.setLifecycleEventsEnabled", enabled=True)

    def _call(self, method: str, **params: Any) -> dict[str, Any]:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session is not None:
            message["sessionId"] = self._session
        self._process.stdin.write(json.dumps(message).encode() + b"\0")
        self._process.stdin.flush()
        while (answer := self._next()).get("id") != self._number:
            pass
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        message = bytearray()
        while (byte := self._process.stdout.read(1)) != b"\0":
            if not byte:
                raise RuntimeError(Path(self._log.name).read_text(errors="replace"))
            message += byte
        answer: dict[str, Any] = json.loads(message)
        event = answer.get("params", {})
        if answer.get("method") == "Page.lifecycleEvent" and event["name"] == "load":
            self._loaded.append(event["loaderId"])
        return answer

    def open(self, url: str) -> None:
        """Go there, and return when the page is loaded."""
        result = self._call("Page.navigate", url=url)
        if error := result.get("errorText"):
            raise RuntimeError(f"{url}: {error}")
        while result["loaderId"] not in self._loaded:
            self._next()

    def evaluate(self, script: str) -> Any:
        """The value of a JavaScript expression; of a promise, when it has one."""
        result = self._call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def text(self) -> str:
        """What the page shows, its words with a blank between them."""
        return " ".join(str(self.evaluate("document.body.innerText")).split())

    def wait_for_text(self, text: str) -> None:
        """Until the page, as it is now or changes by itself, shows it: blanks as in text()."""
        self.evaluate(WAIT_FOR_TEXT % json.dumps(text))

    def follow(self, selector: str) -> None:
        """Press the left mouse button in the middle of a link; returns when its page is loaded."""
        loaded = len(self._loaded)
        x, y = self.evaluate(
            f"(box => [box.x + box.width / 2, box.y + box.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        while len(self._loaded) == loaded:
            self._next()

    def screenshot(self) -> bytes:
        """PNG."""
        return base64.b64decode(self._call("Page.captureScreenshot")["data"])

    def close(self) -> None:
        """It ends, with all of its processes, when nobody has the pipe any more."""
        self._process.communicate()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
