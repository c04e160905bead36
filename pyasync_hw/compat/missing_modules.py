"""What to say of a module that a program for a Pi or a microcontroller wants, and that is not
here: what it is, whether it is simulated, and which module of ours or of PyPI does it."""

from __future__ import annotations

import sys

__all__ = ["about"]

_SHIM = "--shims leaves it out; without that option it is here"
_PI_ONLY = "it is not simulated; on a Raspberry Pi: {pip} "
_BLINKA = "CircuitPython's names are not replaced; on a Raspberry Pi: {pip} adafruit-blinka"
_CIRCUITPYTHON = (
    "it is a CircuitPython library, over adafruit-blinka, which is not simulated; "
    "on a Raspberry Pi: {pip} adafruit-circuitpython-{rest}"
)
_ADAFRUIT = (
    "it asks /proc which board it is on, which is not simulated; on a Raspberry Pi: {pip} {dashed}"
)
_COPY = "it is a file of another program's folder, to be copied into yours; "
_MICROPYTHON = "it is a module of MicroPython that is not here; docs/run.md lists those that are"
_DHT = "a DHT's pulses take 50 us and are not simulated; MicroPython's dht is here, and "
_ONE_WIRE = "the one-wire bus is not simulated; "
_OTHER_BOARD = "it is the {board}'s; RPi.GPIO's names are here"
_PYTHON2 = "the program is for Python 2; Python 3 has {now}"

# By the first part of the module's name.
_ABOUT = {
    # Ours.
    "RPi": _SHIM,
    "mfrc522": _SHIM,
    "pirc522": _SHIM,
    "smbus": _SHIM,
    "smbus2": _SHIM,
    "spidev": _SHIM,
    "machine": _SHIM.replace("it out", "micropython out"),
    "micropython": _SHIM,
    "pyb": _SHIM.replace("it out", "micropython out"),
    "uasyncio": _SHIM.replace("it out", "micropython out"),
    "utime": _SHIM.replace("it out", "micropython out"),
    "gpiozero": "it runs on a pin factory that is here: {pip} gpiozero",
    # Other ways to the lines of a Raspberry Pi.
    "RPIO": "it writes to the registers of a Pi 1; RPi.GPIO's names are here, "
    "add_event_detect() for its interrupts, and PWM",
    "WiringPi": "it is not replaced; RPi.GPIO's names are here",
    "gpiod": "it is not replaced; pyasync_hw.gpio has the names of its version 2 "
    "(docs/devices.md), and on a Raspberry Pi: {pip} gpiod",
    "lgpio": "it is not replaced; RPi.GPIO's names and gpiozero's pin factory are here. "
    "On a Raspberry Pi: {pip} lgpio",
    "periphery": "it is not replaced; pyasync_hw.gpio, spi and i2c are here. "
    "On a Raspberry Pi: {pip} python-periphery",
    "pigpio": "it talks to pigpiod, which is not simulated; RPi.GPIO's names are here, and "
    "gpiozero's pin factory",
    "rgpio": "it talks to rgpiod, which is not simulated; RPi.GPIO's names are here",
    "spi": _SHIM.replace("it out", "spidev out"),
    "wiringpi": "it is not replaced; RPi.GPIO's names are here",
    "wiringpi2": "it is not replaced; RPi.GPIO's names are here",
    # Other boards.
    "Adafruit_BBIO": "it is the BeagleBone's; RPi.GPIO's and spidev's names are here",
    "Jetson": _OTHER_BOARD.replace("{board}", "Jetson"),
    "OPi": _OTHER_BOARD.replace("{board}", "Orange Pi"),
    "pyA20": _OTHER_BOARD.replace("{board}", "Orange Pi"),
    # CircuitPython and Adafruit's older libraries.
    "Adafruit_DHT": f"{_DHT}on a Raspberry Pi: {{pip}} adafruit-circuitpython-dht",
    "adafruit_dht": f"{_DHT}on a Raspberry Pi: {{pip}} adafruit-circuitpython-dht",
    "analogio": _BLINKA,
    "board": _BLINKA,
    "busio": _BLINKA,
    "digitalio": _BLINKA,
    "keypad": _BLINKA,
    "pulseio": _BLINKA,
    "pwmio": _BLINKA,
    # RFID and NFC.
    "MFRC522": _SHIM.replace("it out", "mfrc522 out"),
    "SimpleMFRC522": _SHIM.replace("it out", "mfrc522 out"),
    "joyit_mfrc522": "it has the names of mfrc522, which are here",
    "nfc": "it is nfcpy, for readers at USB or a serial line, which are not simulated: "
    "{pip} nfcpy. RC522 readers: mfrc522's and pirc522's names, and pyasync_hw.rc522, are here",
    "pn532pi": "a PN532 is not simulated; an RC522 is: mfrc522's and pirc522's names are here",
    "py532lib": "a PN532 is not simulated; an RC522 is: mfrc522's and pirc522's names are here",
    # Displays.
    "I2C_LCD_driver": f"{_COPY}it runs on the names of smbus, which are here",
    "RPLCD": "it runs on the names of RPi.GPIO and smbus2, which are here: {pip} RPLCD",
    "RPi_I2C_driver": f"{_COPY}it runs on the names of smbus, which are here",
    "lcddriver": f"{_COPY}it runs on the names of smbus, which are here",
    "luma": "it runs on the names of RPi.GPIO, smbus2 and spidev, which are here: "
    "{pip} luma.oled luma.led_matrix",
    "neopixel": "its pulses take 0.4 us and are not simulated; on a Raspberry Pi: "
    "{pip} adafruit-circuitpython-neopixel",
    "rpi_ws281x": f"{_PI_ONLY}rpi_ws281x",
    "sense_hat": f"{_PI_ONLY}sense-hat",
    # Sensors.
    "dht": _SHIM.replace("it out", "micropython out"),
    "ds18x20": f"{_ONE_WIRE}none of ours stands for it",
    "hx711": "it runs on RPi.GPIO's names, which are here, but an HX711 is not simulated: "
    "{pip} hx711",
    "onewire": f"{_ONE_WIRE}none of ours stands for it",
    "w1thermsensor": f"{_ONE_WIRE}on a Raspberry Pi: {{pip}} w1thermsensor",
    # Cameras, sound, input.
    "evdev": "it reads /dev/input, which is not simulated: {pip} evdev",
    "picamera": f"{_PI_ONLY}picamera, or picamera2 for a system of 2022 or newer",
    "picamera2": f"{_PI_ONLY}picamera2, or Debian's python3-picamera2",
    "zbar": "{pip} zbar-py has it; pyzbar is its successor",
    # Serial lines and messages.
    "pydispatch": "it needs nothing of the hardware: {pip} PyDispatcher",
    "serial": "serial lines are not simulated; on a Raspberry Pi: {pip} pyserial",
    "serial_asyncio": "serial lines are not simulated; on a Raspberry Pi: {pip} pyserial-asyncio",
    # MicroPython's.
    "bluetooth": f"{_MICROPYTHON}; of Python's: {{pip}} pybluez",
    "ble_advertising": _MICROPYTHON,
    "mip": "it installs MicroPython's libraries; here: {pip}",
    "rp2": _MICROPYTHON,
    "ubluetooth": _MICROPYTHON,
    "umqtt": "it is MicroPython's client for MQTT; Python's: {pip} paho-mqtt or aiomqtt",
    "upip": "it installs MicroPython's libraries; here: {pip}",
    "urequests": "it is MicroPython's; requests has its names: {pip} requests",
    # Python's own, once.
    "asynchat": "gone since Python 3.12; asyncio does it now, and {pip} pyasynchat has it",
    "asyncore": "gone since Python 3.12; asyncio does it now, and {pip} pyasyncore has it",
    "cgi": "gone since Python 3.13; {pip} legacy-cgi has it",
    "distutils": "gone since Python 3.12; {pip} setuptools has it",
    "imp": "gone since Python 3.12; importlib does it now",
    "pipes": "gone since Python 3.13; subprocess and shlex.quote() do it now",
    "smtpd": "gone since Python 3.12; {pip} aiosmtpd",
    "telnetlib": "gone since Python 3.13; {pip} telnetlib3 is its successor",
    # Packages that are called otherwise than their modules.
    "MySQLdb": "{pip} mysqlclient",
    "PIL": "{pip} pillow",
    "cv2": "{pip} opencv-python-headless",
    "dotenv": "{pip} python-dotenv",
    "mysql": "{pip} mysql-connector-python",
    "paho": "{pip} paho-mqtt",
    "yaml": "{pip} pyyaml",
    # Python 2's.
    "ConfigParser": _PYTHON2.replace("{now}", "configparser"),
    "Queue": _PYTHON2.replace("{now}", "queue"),
    "SocketServer": _PYTHON2.replace("{now}", "socketserver"),
    "StringIO": _PYTHON2.replace("{now}", "io.StringIO"),
    "Tkinter": _PYTHON2.replace("{now}", "tkinter"),
    "commands": _PYTHON2.replace("{now}", "subprocess.getoutput()"),
    "httplib": _PYTHON2.replace("{now}", "http.client"),
    "thread": _PYTHON2.replace("{now}", "_thread and threading"),
    "urllib2": _PYTHON2.replace("{now}", "urllib.request"),
}


def about(name: str) -> str | None:
    """What to say of the missing module `name`, or None for one that nobody knows here."""
    package = name.partition(".")[0]
    text = _ABOUT.get(package)
    if text is None and package.startswith("adafruit_"):
        text = _CIRCUITPYTHON
    elif text is None and package.startswith("Adafruit_"):
        text = _ADAFRUIT
    if text is None:
        return None
    _, _, rest = package.partition("_")
    fields = {"rest": rest.replace("_", "-"), "dashed": package.replace("_", "-")}
    text = text.format(pip=f"{sys.executable} -m pip install", **fields)
    return f"{package}: {text}."
