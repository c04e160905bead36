"""MicroPython's module network: the Linux machine's network, which it asks and never changes.

Access points and passwords are remembered, so that a program's connecting goes as it does
on a board: it is connected as soon as it has asked, to whatever the machine is connected to.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from typing import Any, NoReturn

from ..hints import no_such_name

__all__ = [
    "AP_IF",
    "AUTH_OPEN",
    "AUTH_WEP",
    "AUTH_WPA2_PSK",
    "AUTH_WPA_PSK",
    "AUTH_WPA_WPA2_PSK",
    "LAN",
    "MODE_11B",
    "MODE_11G",
    "MODE_11N",
    "STAT_CONNECTING",
    "STAT_CONNECT_FAIL",
    "STAT_GOT_IP",
    "STAT_IDLE",
    "STAT_NO_AP_FOUND",
    "STAT_WRONG_PASSWORD",
    "STA_IF",
    "WLAN",
    "country",
    "hostname",
    "phy_mode",
]

STA_IF, AP_IF = 0, 1
# A Pico W's numbers, which its programs write out.
STAT_IDLE, STAT_CONNECTING, STAT_GOT_IP = 0, 1, 3
STAT_CONNECT_FAIL, STAT_NO_AP_FOUND, STAT_WRONG_PASSWORD = -1, -2, -3
AUTH_OPEN, AUTH_WEP, AUTH_WPA_PSK, AUTH_WPA2_PSK, AUTH_WPA_WPA2_PSK = range(5)
MODE_11B, MODE_11G, MODE_11N = 1, 2, 4
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B  # linux/sockios.h
_LOOPBACK = ("127.0.0.1", "255.0.0.0")
_state: dict[str, Any] = {"country": "XX", "phy_mode": MODE_11N}


def _interface() -> tuple[str, str]:
    """(name, gateway) of the interface with the default route; else the loopback's."""
    try:
        with open("/proc/net/route") as file:
            rows = [line.split() for line in file.readlines()[1:]]
    except FileNotFoundError:
        rows = []
    for name, destination, gateway, *_ in rows:
        if int(destination, 16) == 0:
            return name, socket.inet_ntoa(struct.pack("<I", int(gateway, 16)))
    return "lo", "0.0.0.0"


def _asked(name: str, what: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            answer = fcntl.ioctl(asking, what, struct.pack("256s", name[:15].encode()))
        except OSError:  # it has no address
            return None
    return socket.inet_ntoa(answer[20:24])


def _nameserver() -> str:
    try:
        with open("/etc/resolv.conf") as file:
            found = [line.split()[1] for line in file if line.startswith("nameserver ")]
    except FileNotFoundError:
        found = []
    return found[0] if found else "0.0.0.0"


def _mac(name: str) -> bytes:
    try:
        with open(f"/sys/class/net/{name}/address") as file:
            return bytes.fromhex(file.read().strip().replace(":", ""))
    except (OSError, ValueError):
        return bytes(6)


def _signal_dbm() -> int:
    """Of the first wireless interface; 0: there is none."""
    try:
        with open("/proc/net/wireless") as file:
            rows = file.readlines()[2:]
    except FileNotFoundError:
        rows = []
    return int(float(rows[0].split()[3])) if rows else 0


class WLAN:
    """WLAN(STA_IF) or WLAN(AP_IF); two of the same are one interface, and share what was set."""

    IF_STA, IF_AP = STA_IF, AP_IF
    SEC_OPEN, SEC_WEP, SEC_WPA, SEC_WPA2, SEC_WPA_WPA2 = range(5)
    PM_NONE, PM_PERFORMANCE, PM_POWERSAVE = 0xA11140, 0xA11142, 0xA11C82

    def __init__(self, interface_id: int = STA_IF) -> None:
        if interface_id not in _interfaces:
            raise ValueError(f"an interface is STA_IF or AP_IF, not {interface_id!r}")
        self._id = interface_id
        self._settings = _interfaces[interface_id]

    def active(self, is_active: Any = None) -> bool:
        """Whether it is switched on, or switch it: for this program."""
        if is_active is not None:
            self._settings["active"] = bool(is_active)
            if not is_active:
                self._settings["connected"] = False
        return bool(self._settings["active"])

    def connect(self, ssid: Any = None, key: Any = None, **_: Any) -> None:
        """Remember the access point; from now on isconnected()."""
        if ssid is not None:
            self._settings["essid"] = ssid.decode() if isinstance(ssid, bytes) else ssid
        self._settings["connected"] = bool(self._settings["active"])

    def disconnect(self) -> None:
        """isconnected() no more; the machine stays connected."""
        self._settings["connected"] = False

    def isconnected(self) -> bool:
        """After connect(), until disconnect(); an access point: never, for nobody comes."""
        return bool(self._settings["connected"])

    def status(self, param: str | None = None) -> Any:
        """STAT_GOT_IP or STAT_IDLE; "rssi": in dBm, 0 without a radio; "stations": none."""
        if param == "rssi":
            return _signal_dbm()
        if param == "stations":
            return []
        if param is not None:
            raise ValueError(f"unknown status param {param!r}")
        return STAT_GOT_IP if self._settings["connected"] else STAT_IDLE

    def scan(self) -> list[tuple[bytes, bytes, int, int, int, int]]:
        """Access points around: none, for scanning is the system's affair."""
        return []

    def ifconfig(self, config: Any = None) -> tuple[str, str, str, str]:
        """(address, netmask, gateway, nameserver) of this machine; what is set is not."""
        name, gateway = _interface()
        address, netmask = _asked(name, _SIOCGIFADDR), _asked(name, _SIOCGIFNETMASK)
        if address is None or netmask is None:
            address, netmask = _LOOPBACK
        return address, netmask, gateway, _nameserver()

    def ipconfig(self, param: str | None = None, **settings: Any) -> Any:
        """ "addr4", "gw4" or "has_dhcp4"; what is set is not."""
        address, netmask, gateway, _ = self.ifconfig()
        found = {"addr4": (address, netmask), "gw4": gateway, "has_dhcp4": True}
        if param is None:
            return None
        if param not in found:
            raise ValueError(f"unknown config param {param!r}")
        return found[param]

    def config(self, *names: str, **settings: Any) -> Any:
        """What was set, by name ("essid" and "ssid" are one); "mac": of the machine."""
        for name, value in settings.items():
            self._settings[_called(name)] = value
        if not names:
            return None
        if names[0] == "mac":
            return _mac(_interface()[0])
        if names[0] in ("dhcp_hostname", "hostname"):
            return self._settings.get(names[0], hostname())
        if _called(names[0]) not in self._settings:
            raise ValueError(f"unknown config param {names[0]!r}")
        return self._settings[_called(names[0])]

    def ifname(self) -> str:
        """The Linux name of the machine's interface."""
        return _interface()[0]

    def deinit(self) -> None:
        """As active(False)."""
        self.active(False)


def _called(name: str) -> str:
    return {"ssid": "essid", "key": "password"}.get(name, name)


_FIRST: dict[str, Any] = {
    "active": False,
    "connected": False,
    "essid": "",
    "channel": 1,
    "hidden": False,
}
_interfaces: dict[int, dict[str, Any]] = {STA_IF: {**_FIRST, "txpower": 20, "pm": 0}}
_interfaces[AP_IF] = {**_FIRST, "authmode": AUTH_OPEN, "security": AUTH_OPEN, "max_clients": 4}


class LAN(WLAN):
    """LAN(...): the machine's network, however a board's is wired."""

    def __init__(self, *args: Any, **pins: Any) -> None:
        super().__init__(STA_IF)

    def active(self, is_active: Any = None) -> bool:
        """As WLAN.active(); an active one is connected."""
        found = super().active(is_active)
        self._settings["connected"] = found
        return found


def hostname(name: str | None = None) -> str:
    """Of this machine; another one is not set."""
    return os.uname().nodename


def country(code: str | None = None) -> str:
    """What it was set to."""
    if code is not None:
        _state["country"] = code
    return str(_state["country"])


def phy_mode(mode: int | None = None) -> int:
    """What it was set to."""
    if mode is not None:
        _state["phy_mode"] = mode
    return int(_state["phy_mode"])


def __getattr__(name: str) -> NoReturn:
    raise no_such_name(__name__, name)
