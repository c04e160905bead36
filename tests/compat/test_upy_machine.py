"""MicroPython's machine, pyb and their neighbours, name by name, as they are documented."""

import asyncio
import gc
import os
import sys
import threading

import pytest

from pyasync_hw import VirtualClock, hardware, new_event_loop, sim
from pyasync_hw.compat import upy
from pyasync_hw.compat.service import service
from pyasync_hw.hardware import wiring


def _use(board):
    uninstall = upy.install()
    with board:
        before = hardware.set_default(board)
        yield board
        from pyasync_hw.compat.upy.board import pins

        pins.release_all()
        service.stop()
        hardware.set_default(before)
    uninstall()


@pytest.fixture
def board():
    """A simulated board that every thread sees, and MicroPython's import names."""
    yield from _use(sim.Board())


@pytest.fixture
def names(board):
    """What the calls of the table below may use."""
    import dht
    import esp
    import framebuf
    import machine
    import micropython
    import network
    import pyb

    return {
        **{name: getattr(machine, name) for name in machine.__all__},
        **{"machine": machine, "pyb": pyb, "network": network, "esp": esp, "dht": dht},
        **{"micropython": micropython, "framebuf": framebuf, "gc": gc, "sys": sys, "os": os},
        **{"board": board, "level": lambda gpio: board.line(gpio).value},
    }


# What is called first, the call, and what it gives.
CALLS = [
    ("led = Pin(2, Pin.OUT)", "(led.value(), led())", (0, 0)),
    ("led = Pin(2, Pin.OUT); led.value(1)", "(Pin(2).value(), level(2))", (1, 1)),
    ("led = Pin(2, Pin.OUT, value=1)", "level(2)", 1),
    ("led = Pin(2, Pin.OUT, None, value=1); led.off()", "level(2)", 0),
    ("led = Pin(2, Pin.OUT); led.on()", "level(2)", 1),
    ("led = Pin(2, Pin.OUT); led.high(); led.toggle()", "level(2)", 0),
    ("led = Pin(2); led.init(Pin.OUT, value=1); led(0)", "level(2)", 0),
    ("led = Pin(2, Pin.OUT); led.mode(Pin.IN)", "led.mode() == Pin.IN", True),
    ("pin = Pin(17, Pin.IN, Pin.PULL_DOWN)", "(pin(), pin.pull() == Pin.PULL_DOWN)", (0, True)),
    ("pin = Pin('X1', Pin.IN, Pin.PULL_UP)", "(pin.value(), pin.names())", (1, ["X1"])),
    ("pin = Pin('X1', Pin.IN, Pin.PULL_UP); board.line(17).drive(0)", "pin.value()", 0),
    ("pin = Pin(17, Pin.IN, None); pin.value(1); pin.init(Pin.OUT)", "level(17)", 1),
    ("pin = Pin(17, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1)", "pin.value()", 1),
    ("pin = Pin(17, Pin.OPEN_DRAIN, Pin.PULL_UP, value=1); pin(0)", "pin.value()", 0),
    ("pin = Pin(17, Pin.OPEN_DRAIN, value=0); pin.init(Pin.IN, Pin.PULL_UP)", "pin.value()", 1),
    ("", "(str(Pin(4)), Pin.board.X1 == Pin(17), Pin('GP15') == Pin(15))", ("Pin(4)", True, True)),
    ("s = Signal(Pin(2, Pin.OUT), invert=True); s.on()", "(s.value(), level(2))", (1, 0)),
    ("s = Signal(2, Pin.OUT, invert=False); s.off(); s(1)", "level(2)", 1),
    ("i2c = I2C(scl=Pin(5), sda=Pin(4), freq=100000)", "i2c.scan()", [0x3C, 0x4C, 0x77]),
    ("i2c = SoftI2C(Pin(5), Pin(4)); i2c.start()", "i2c.readfrom_mem(0x77, 0xD0, 1)", b"\x55"),
    ("i2c = I2C(-1, Pin(5), Pin(4))", "i2c.writeto(0x77, b'\\xD0')", 1),
    ("i2c = I2C(0); i2c.writeto(0x77, b'\\xD0', False)", "i2c.readfrom(0x77, 1)", b"\x55"),
    ("b = bytearray(1); I2C(1).readfrom_mem_into(0x77, 0xD0, b)", "bytes(b)", b"\x55"),
    ("i = I2C(); i.writevto(0x77, [b'', b'\\xD0']); b = bytearray(1); i.readfrom_into(0x77, b)",
     "bytes(b)", b"\x55"),
    ("i2c = I2C(); i2c.writeto_mem(0x4C, 7, b'\\x01')", "i2c.readfrom_mem(0x4C, 7, 1)", b"\1"),
    ("i = I2C(); i.start(); i.write(b'\\xee\\xd0'); i.start(); i.write(b'\\xef'); b = bytearray(1);"
     "i.readinto(b); i.stop()", "bytes(b)", b"\x55"),
    ("", "ADC(0).read()", 512),
    ("d = dht.DHT11(Pin(4)); d.measure()", "(d.temperature(), d.humidity())", (21, 45)),
    ("d = dht.DHT22(Pin(4)); board.attach(sim.DHT(celsius=-3.25, humidity=99.9)); d.measure()",
     "(d.temperature(), d.humidity())", (-3.2, 99.9)),
    ("board.attach(sim.ADC(volts=3.3))", "(ADC(0).read(), ADC('A0').read_u16())", (1023, 65535)),
    ("board.attach(sim.ADC(volts=1.65))", "(ADC(Pin(34)).read(), ADC(0).read_uv())",
     (2048, 1650000)),
    ("a = ADC(Pin(4)); board.part('adc').set(1.1, channel=4); a.atten(ADC.ATTN_0DB)", "a.read()",
     4095),
    ("a = ADC(Pin(33)); a.atten(ADC.ATTN_11DB); a.width(ADC.WIDTH_9BIT)", "a.read()", 256),
    ("p = PWM(Pin(12), freq=1000, duty=512)", "(p.freq(), p.duty())", (1000, 512)),
    ("p = PWM(Pin(12)); p.freq(50); p.duty_u16(32768)", "(p.freq(), p.duty_ns())", (50, 10000153)),
    ("p = PWM(12, 500, duty_ns=1000000); p.deinit()", "(p.duty_u16(), level(12))", (32768, 0)),
    ("p = PWM(12, 50, 0); p.duty(1023)", "(p.duty(), level(12))", (1023, 1)),
    ("spi = SPI(1, baudrate=1000000, polarity=0, phase=0); board.attach(sim.MCP3008('spi0.1'))",
     "len(spi.read(3))", 3),
    ("spi = SPI(0); b = bytearray(2); spi.write(b'\\x01'); spi.readinto(b)", "len(b)", 2),
    ("spi = SoftSPI(sck=Pin(1), mosi=Pin(2), miso=Pin(3)); b = bytearray(2)",
     "spi.write_readinto(b'\\xEE\\0', b)", None),
    ("", "freq() > 0 and freq(160000000) is None and freq()", 160000000),
    ("", "(len(unique_id()), reset_cause() == PWRON_RESET, idle(), lightsleep(0))",
     (6, True, None, None)),
    ("state = disable_irq()", "enable_irq(state)", None),
    ("r = RTC(); r.datetime((2016, 12, 12, 0, 23, 59, 5, 0))", "r.datetime()[:6]",
     (2016, 12, 12, 0, 23, 59)),
    ("r = RTC(); r.init((2017, 1, 2)); r.memory(b'x')", "(r.now()[:4], r.memory(), r.deinit())",
     ((2017, 1, 2, 0), b"x", None)),
    ("leds = [pyb.LED(n) for n in range(1, 5)]; [led.on() for led in leds]",
     "[level(gpio) for gpio in (5, 6, 13, 26)]", [1, 1, 1, 1]),
    ("led = pyb.LED(2); led.on(); led.toggle(); led.off(); led.toggle()", "led.intensity()", 255),
    ("led = pyb.LED(4); led.intensity(128)", "led.intensity()", 128),
    ("a = pyb.Accel()", "(a.x(), a.y(), a.z(), a.filtered_xyz(), a.tilt())",
     (0, 0, 21, (0, 0, 84), 0)),
    ("a = pyb.Accel(); board.part('accelerometer').set(-1.0, 0.5, 9.0)", "(a.x(), a.y(), a.z())",
     (-21, 11, 31)),
    ("sw = pyb.Switch(); board.line(4).drive(0)", "(sw(), sw.value())", (True, True)),
    ("", "pyb.elapsed_millis(pyb.millis()) + pyb.elapsed_micros(pyb.micros()) < 60000000", True),
    ("pyb.delay(1); pyb.udelay(1); pyb.wfi()", "0 <= pyb.rng() < 1 << 30", True),
    ("", "pyb.ADC('X19').read()", 2048),
    ("b = bytearray(2); pyb.ADC(pyb.Pin('X19')).read_timed(b, 10000)", "bytes(b)", b"\x80\x80"),
    ("i = pyb.I2C(2, pyb.I2C.MASTER)", "(i.mem_read(1, 0x77, 0xD0), i.is_ready(0x77))",
     (b"\x55", True)),
    ("i = pyb.I2C('X'); i.mem_write(1, 0x4C, 7); i.send(7, 0x4C)", "i.recv(1, 0x4C)", b"\1"),
    ("s = pyb.Servo(1); s.angle(90)", "(s.pulse_width(), s.angle())", (2420, 85)),
    ("t = pyb.Timer(4, freq=100)", "t.freq()", 100),
    ("t = pyb.Timer(2, freq=1000); c = t.channel(1, pyb.Timer.PWM, pin=pyb.Pin('X1'))",
     "(c.pulse_width_percent(25), round(c.pulse_width_percent()))", (None, 25)),
    ("w = network.WLAN(network.STA_IF); w.active(True); w.connect('ssid', 'key')",
     "(w.active(), w.isconnected(), w.status() == network.STAT_GOT_IP, w.config('essid'))",
     (True, True, True, "ssid")),
    ("w = network.WLAN(network.AP_IF); w.active(True); w.config(essid='e', password='p')",
     "(w.config('ssid'), len(w.ifconfig()), w.isconnected(), w.scan())", ("e", 4, False, [])),
    ("w = network.WLAN(); w.active(False)", "(w.isconnected(), w.status())", (False, 0)),
    ("w = network.WLAN(network.STA_IF)", "(len(w.config('mac')), w.config('dhcp_hostname'))",
     (6, os.uname().nodename)),
    ("", "(esp.osdebug(None), esp.flash_size() > 0, esp.check_fw())", (None, True, True)),
    ("", "(micropython.const(3), const(4), micropython.opt_level())", (3, 4, 0)),
    ("f = micropython.native(len)", "(f('ab'), micropython.viper(len) is len)", (2, True)),
    ("@micropython.asm_thumb\ndef addressof(r0):\n    nop()", "addressof(gc) == id(gc)", True),
    ("", "micropython.alloc_emergency_exception_buf(100)", None),
    ("", "(gc.mem_free() > 0, gc.mem_alloc() > 0, gc.threshold(), gc.threshold(5), gc.threshold())",
     (True, True, -1, None, 5)),
    ("import ntptime; RTC().datetime((2000, 1, 1, 0, 0, 0, 0, 0)); ntptime.settime()",
     "RTC().now()[0] > 2020 and ntptime.time() > 10 ** 9", True),
    ("", "len(os.uname())", 5),
]  # fmt: skip


@pytest.mark.parametrize(("first", "call", "result"), CALLS)
def test_every_name_as_documented(names, first, call, result):
    names["sim"] = sim
    exec(first, names)
    assert eval(call, names) == result


def test_print_exception(board, capsys):
    sys.print_exception(ValueError("why"))
    assert capsys.readouterr().out == "ValueError: why\n"


def _calls_back(board, begin):
    """What `begin(callback)` has called with, when the line of X1 has fallen."""
    called, done = [], threading.Event()

    def callback(argument):
        called.append((argument, threading.current_thread().name))
        done.set()

    begin(callback)
    board.line(17).drive(0)
    assert done.wait(60)
    return called[0]


def test_callbacks_come_with_their_pin_or_timer(board):
    import machine
    import micropython
    import pyb
    from machine import Pin

    button = Pin("X1", Pin.IN, Pin.PULL_UP)
    found = _calls_back(board, lambda call: button.irq(handler=call, trigger=Pin.IRQ_FALLING))
    assert found == (button, "pyasync_hw-service")
    button.irq(handler=None)
    timer = machine.Timer(-1)
    once = {"mode": machine.Timer.ONE_SHOT, "period": 1}
    assert _calls_back(board, lambda call: timer.init(callback=call, **once))[0] is timer
    timer = pyb.Timer(4)
    assert _calls_back(board, lambda call: timer.init(freq=1000, callback=call))[0] is timer
    timer.deinit()
    assert _calls_back(board, lambda call: micropython.schedule(call, 5))[0] == 5
    switch, fell = pyb.Switch(), threading.Event()
    switch.callback(fell.set)
    board.line(4).drive(0)
    assert fell.wait(60)
    switch.callback(None)


def test_what_a_callback_raises_is_told_and_the_next_one_comes(board, monkeypatch):
    from machine import Timer

    told, ticks, done = [], [], threading.Event()
    monkeypatch.setattr(sys, "excepthook", lambda kind, exc, trace: told.append(kind))

    def tick(timer):
        ticks.append(timer)
        if len(ticks) == 2:
            timer.deinit()
            done.set()
        raise ZeroDivisionError

    Timer(-1).init(period=1, callback=tick)
    assert done.wait(60)
    service.stop()
    assert told == [ZeroDivisionError] * 2


def test_a_timer_that_begins_anew_calls_back_though_a_call_of_before_waits(board):
    from machine import Timer

    called, queued = [], threading.Event()

    async def main():
        loop, done = asyncio.get_running_loop(), asyncio.Event()
        call_soon = loop.call_soon_threadsafe

        def call_soon_threadsafe(*args):
            call_soon(*args)
            queued.set()

        def new(timer):
            called.append(timer)
            done.set()

        loop.call_soon_threadsafe = call_soon_threadsafe
        timer = Timer(-1)
        for callback in (called.append, new):
            timer.init(mode=Timer.ONE_SHOT, period=1, callback=callback)
            assert queued.wait(60)  # it waits for this task, which blocks the loop
            queued.clear()
        await done.wait()
        assert called == [timer]

    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(main())


def test_what_a_loop_was_given_at_its_end_is_called_all_the_same(board):
    from machine import Timer

    called, queued = threading.Event(), threading.Event()
    loop = new_event_loop()
    call_soon = loop.call_soon_threadsafe

    def call_soon_threadsafe(*args):
        call_soon(*args)
        queued.set()

    def last():
        Timer(-1, mode=Timer.ONE_SHOT, period=1, callback=lambda timer: called.set())
        assert queued.wait(60)
        loop.stop()

    loop.call_soon_threadsafe = call_soon_threadsafe
    loop.call_soon(last)
    loop.run_forever()
    loop.close()
    assert called.wait(60)


def test_a_timer_without_a_callback_keeps_no_program(board):
    from machine import Timer

    from pyasync_hw.compat.upy.board import callbacks

    timer = Timer(-1, mode=Timer.ONE_SHOT, period=1)
    end = threading.Thread(target=callbacks.stay, daemon=True)
    end.start()
    end.join(60)
    assert not end.is_alive()
    timer.deinit()


class _Recorder:
    """A part that answers each byte by it and 0x80, and keeps the frames."""

    def __init__(self):
        self.frames = []
        self.heard = threading.Event()

    def transfer(self, data):
        self.frames.append(data)
        self.heard.set()
        return bytes(byte | 0x80 for byte in data)


def test_what_is_sent_while_a_pin_is_low_is_one_message(board):
    from machine import SPI, Pin

    part = _Recorder()
    board.attach_spi(0, 0, part)
    select, spi = Pin(5, Pin.OUT, value=1), SPI(1, baudrate=1000000)
    spi.write(b"\1")
    select(0)
    spi.write(b"\2")
    spi.write(b"\3")
    answer = bytearray(2)
    spi.readinto(answer, 4)
    select(1)
    select.off()
    spi.write(b"\5")
    spi.write(b"\6")
    select.on()
    assert part.frames == [b"\1", b"\2\3\4\4", b"\5\6"]
    assert answer == b"\x84\x84"
    select(0)
    part.heard.clear()
    spi.write(b"\7")  # and nothing more, as where the pin is an LED's
    assert part.heard.wait(60)
    assert part.frames[3:] == [b"\7"]


def test_a_pulse_is_as_long_as_its_edges_say():
    for board in _use(sim.Board(clock=VirtualClock())):
        from machine import Pin, time_pulse_us

        sensor = board.attach(sim.HCSR04("GPIO23", "GPIO24", distance=1.715))
        trigger, echo = Pin(23, Pin.OUT), Pin(24, Pin.IN)
        assert time_pulse_us(echo, 1, 1000) == -2
        sensor.call_at(board.time() + 0.1, trigger.on)
        sensor.call_at(board.time() + 0.2, trigger.off)
        assert time_pulse_us(echo, 1) == 10_000
        assert time_pulse_us(echo, 0, 1000) == -1


def test_the_picture_is_on_the_display(board):
    from machine import I2C
    from ssd1306 import SSD1306_I2C

    display = SSD1306_I2C(128, 64, I2C(), 0x3C)
    part = board.part("display")
    assert (part.is_on, part.text().count("#")) == (True, 0)
    display.pixel(127, 63, 1)
    display.line(0, 0, 7, 7, 1)
    display.rect(20, 20, 10, 5, 1)
    display.show()
    assert all(part.pixel(x, x) for x in range(8))
    assert part.pixel(127, 63)
    assert part.text().count("#") == 1 + 8 + 26
    display.scroll(1, 0)
    display.show()
    assert (part.pixel(1, 0), part.pixel(8, 7)) == (True, True)
    display.fill(0)
    display.text("IT", 0, 8)
    display.show()
    rows = [row[:16].rstrip(".") for row in part.text().split("\n")[8:16]]
    assert rows == ["..###....#####", *["...#.......#"] * 5, "..###......#", ""]
    display.invert(1)
    display.contrast(10)
    assert part.inverted
    display.poweroff()
    assert not part.is_on


FORMATS = {
    "MONO_VLSB": (1, [0, 0, 2, 0]),
    "MONO_HLSB": (1, [0, 32, 0, 0]),
    "MONO_HMSB": (1, [0, 4, 0, 0]),
    "GS2_HMSB": (3, [0, 0, 48, 0]),
    "GS4_HMSB": (9, [0, 0, 0, 0, 0, 144]),
    "GS8": (200, [0] * 10 + [200]),
    "RGB565": (0x1234, [0] * 20 + [0x34, 0x12]),
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_pixel_in_each_format(names, name):
    framebuf = names["framebuf"]
    color, memory = FORMATS[name]
    buffer = bytearray(64)
    frame = framebuf.FrameBuffer(buffer, 8, 4, getattr(framebuf, name))
    frame.pixel(2, 1, color)
    assert list(buffer) == memory + [0] * (64 - len(memory))
    assert (frame.pixel(2, 1), frame.pixel(3, 1), frame.pixel(9, 9)) == (color, 0, None)
    other = framebuf.FrameBuffer(bytearray(64), 8, 4, getattr(framebuf, name))
    other.blit(frame, 1, 1)
    assert (other.pixel(3, 2), other.pixel(2, 1)) == (color, 0)
    other.blit(frame, 0, 0, 0)
    assert (other.pixel(3, 2), other.pixel(2, 1)) == (color, color)


def test_shapes(names):
    framebuf = names["framebuf"]
    frame = framebuf.FrameBuffer(bytearray(100), 10, 10, framebuf.GS8)

    def lit(draw):
        frame.fill(0)
        draw(frame)
        return {(x, y) for y in range(10) for x in range(10) if frame.pixel(x, y)}

    assert lit(lambda f: f.hline(-2, 3, 5, 1)) == {(0, 3), (1, 3), (2, 3)}
    assert lit(lambda f: f.vline(4, 8, 9, 1)) == {(4, 8), (4, 9)}
    assert len(lit(lambda f: f.rect(1, 1, 4, 3, 1))) == 10
    assert len(lit(lambda f: f.rect(1, 1, 4, 3, 1, True))) == 12
    assert len(lit(lambda f: f.fill_rect(8, 8, 9, 9, 1))) == 4
    assert {(5, 2), (5, 8), (2, 5), (8, 5)} <= lit(lambda f: f.ellipse(5, 5, 3, 3, 1))
    assert lit(lambda f: f.poly(0, 0, [1, 1, 4, 1, 4, 4, 1, 4], 1, True)) >= {(2, 2), (4, 4)}


def test_names_of_a_board_file(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text(
        '[pins]\nRELAY = "GPIO17"\n34 = "BOARD13"\n[micropython]\ni2c = "i2c-0"\nadc = "spi0.1"\n'
        '[[part]]\nkind = "mcp3008"\nspi = "spi0.1"\nvolts = [3.3, 1.65]\n'
        '[[part]]\nkind = "bmp180"\nbus = 0\n'
    )
    for board in _use(sim.wired_board(path)):
        from machine import ADC, I2C, Pin

        Pin("RELAY", Pin.OUT, value=1)
        Pin(34, Pin.OUT, value=1)
        assert [board.line(gpio).value for gpio in (17, 27)] == [1, 1]
        assert [ADC(channel).read() for channel in (0, 1, 2)] == [1023, 512, 0]
        assert I2C(scl=Pin(5), sda=Pin(4)).scan() == [0x77]
        assert [part.name for part in board.parts] == ["mcp30081", "bmp1802"]
        with pytest.raises(ValueError, match=r"\[pins\] Y99 = 17"):
            Pin("Y99")
    for text, problem in (
        ('[pins]\nX1 = "GPIO99"', "2: pins.X1: 'GPIO99' is not on the header"),
        ("[micropython]\nuart = 1", "2: micropython.uart: unknown key; allowed: adc, i2c"),
    ):
        path.write_text(text)
        with pytest.raises(wiring.ConfigError, match=r":" + problem.replace("[", r"\[")):
            wiring.load_board(path)


def test_a_board_without_an_analog_input_says_what_helps(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text("")
    for _ in _use(sim.wired_board(path)):
        from machine import ADC

        with pytest.raises(OSError, match=r'\[micropython\] adc = "spi0.0" for an MCP3008'):
            ADC(0).read()


def test_a_board_without_a_dht_says_what_helps(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text("")
    for _ in _use(sim.wired_board(path)):
        from dht import DHT11

        with pytest.raises(OSError, match=r'has no DHT; .* kind = "dht"'):
            DHT11(4).measure()


def test_the_kernel_s_driver_reads_a_dht(board, tmp_path, monkeypatch):
    import dht
    from machine import Pin

    monkeypatch.setattr(hardware, "current", lambda: None)  # no simulated one
    monkeypatch.setattr(dht, "_DEVICES", str(tmp_path / "*"))
    sensor = dht.DHT22(Pin(4))
    with pytest.raises(OSError, match=r"dtoverlay=dht11,gpiopin=4$"):
        sensor.measure()
    for name, celsius, humidity in (("ads1015", 1, 1), ("dht11@4", 21400, 45300)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(f"{name}\n")
        (tmp_path / name / "in_temp_input").write_text(f"{celsius}\n")
        (tmp_path / name / "in_humidityrelative_input").write_text(f"{humidity}\n")
    sensor.measure()
    assert (sensor.temperature(), sensor.humidity()) == (21.4, 45.3)


def test_nothing_is_left(board):
    uninstall = upy.install()
    exec("import machine", {"__name__": None})  # as code that no module has
    import machine

    assert machine.Pin
    uninstall()
    assert "machine" not in sys.modules
