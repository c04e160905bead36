"""A door opener: cards open the door, run commands, or are refused.

Written as such programs were written for Python 3.5, pi-rc522 and RPi.GPIO: the
reader blocks in a thread of the executor, signal handlers cancel all tasks and
stop the loop, and `finally` runs the loop once more so that they can end.

    usage: door.py [tags.txt]
"""

import asyncio
import functools
import os
import signal
import subprocess
import sys

import RPi.GPIO as GPIO
from pirc522 import RFID

# Pins of the header (BOARD numbers).
PIN_DOOR = 11
PIN_GREEN = 13
PIN_RED = 15
# A card that stays on the reader is served once.
AWAY_SECONDS = 0.5


def say(text, *args):
    print("door: " + text.format(*args), flush=True)


class TagDatabase:
    """Who may do what: lines of `uid name command [argument]`."""

    def __init__(self, path):
        self.entries = {}
        with open(path) as lines:
            for number, line in enumerate(lines, 1):
                words = line.split("#")[0].split(None, 3)
                if not words:
                    continue
                if len(words) < 3 or words[2] not in COMMANDS:
                    sys.exit(
                        "{}:{}: expected uid, name and command ({}), got {!r}".format(
                            path, number, ", ".join(sorted(COMMANDS)), line.strip()
                        )
                    )
                uid, name, command = words[:3]
                self.entries[uid.lower()] = (name, command, "".join(words[3:]).strip())

    def find(self, uid):
        """(name, command, argument) or None; `uid` is what anticoll() gives."""
        return self.entries.get(bytes(uid[:4]).hex())


class Reader:
    """The RC522; its calls block, so waiting is done in the executor."""

    def __init__(self):
        self.rfid = RFID()

    async def next_uid(self):
        """The UID, and its check byte, of the next card."""
        loop = asyncio.get_event_loop()
        while True:
            await loop.run_in_executor(None, self.rfid.wait_for_tag)
            error, _ = self.rfid.request()
            if error:
                continue
            error, uid = self.rfid.anticoll()
            if not error:
                return tuple(uid)

    def close(self):
        # wait_for_tag() may still block in its thread: nothing but this ends it.
        self.rfid.irq.set()
        self.rfid.cleanup()


class Lights:
    def __init__(self):
        GPIO.setmode(GPIO.BOARD)
        for pin in (PIN_DOOR, PIN_GREEN, PIN_RED):
            GPIO.setup(pin, GPIO.OUT)
            GPIO.output(pin, 0)

    async def on_for(self, pins, seconds):
        try:
            for pin in pins:
                GPIO.output(pin, 1)
            await asyncio.sleep(seconds)
        finally:
            for pin in pins:
                GPIO.output(pin, 0)


class Door:
    def __init__(self, tags):
        self.tags = tags
        self.reader = Reader()
        self.lights = Lights()
        self.children = {}

    async def serve(self):
        """Read cards until cancelled."""
        loop = asyncio.get_event_loop()
        last_uid, last_seen = None, 0.0
        try:
            while True:
                uid = await self.reader.next_uid()
                known, last_seen = last_seen + AWAY_SECONDS > loop.time(), loop.time()
                if uid == last_uid and known:
                    await asyncio.sleep(0.1)
                    continue
                last_uid = uid
                await self.handle(uid)
                last_seen = loop.time()
        except asyncio.CancelledError:
            self.reader.close()
            raise

    async def handle(self, uid):
        text = bytes(uid[:4]).hex()
        entry = self.tags.find(uid)
        if entry is None:
            say("card {} is unknown: refused", text)
            await self.lights.on_for([PIN_RED], 0.2)
            return
        name, command, argument = entry
        say("card {} is {}: {} {}", text, name, command, argument)
        await COMMANDS[command](self, argument)

    async def open_door(self, seconds):
        await self.lights.on_for([PIN_DOOR, PIN_GREEN], float(seconds or 3))
        say("locked again")

    async def run_shell(self, line):
        child = subprocess.Popen(line, shell=True)
        self.children[child.pid] = child
        await self.lights.on_for([PIN_GREEN], 0.2)

    def child_ended(self):
        """SIGCHLD: fetch its status."""
        pid, status = os.waitpid(0, 0)
        child = self.children.pop(pid, None)
        if child is not None:
            child.returncode = status >> 8
            say("command ended with status {}", child.returncode)


COMMANDS = {"open": Door.open_door, "shell": Door.run_shell}


def shut_down(loop, name):
    """SIGINT, SIGTERM: cancel all tasks; main() lets them end."""
    say("{}: shutting down", name)
    for task in asyncio.Task.all_tasks():
        task.cancel()
    loop.stop()


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    tags = TagDatabase(sys.argv[1] if len(sys.argv) > 1 else os.path.join(here, "tags.txt"))
    door = Door(tags)
    loop = asyncio.get_event_loop()
    for name in ("SIGINT", "SIGTERM"):
        loop.add_signal_handler(getattr(signal, name), functools.partial(shut_down, loop, name))
    loop.add_signal_handler(signal.SIGCHLD, door.child_ended)
    asyncio.ensure_future(door.serve())
    say("ready, show a card")
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(asyncio.gather(*asyncio.Task.all_tasks(), return_exceptions=True))
        loop.close()
        say("closed")


if __name__ == "__main__":
    main()
