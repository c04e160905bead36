"""Who rings, and how far away do they stand?  A program for a Raspberry Pi."""

import queue
import time

import RPi.GPIO as GPIO

BELL, LAMP, TRIGGER, ECHO = 17, 27, 23, 24

GPIO.setmode(GPIO.BCM)
GPIO.setup(TRIGGER, GPIO.OUT, initial=GPIO.LOW)
GPIO.setup(ECHO, GPIO.IN)
GPIO.setup(LAMP, GPIO.OUT, initial=GPIO.LOW)
GPIO.setup(BELL, GPIO.IN, pull_up_down=GPIO.PUD_UP)
rings = queue.Queue()
GPIO.add_event_detect(BELL, GPIO.FALLING, callback=rings.put, bouncetime=200)


def distance():
    GPIO.output(TRIGGER, GPIO.HIGH)
    time.sleep(0.00001)
    GPIO.output(TRIGGER, GPIO.LOW)
    limit = time.monotonic() + 0.1
    while not GPIO.input(ECHO) and time.monotonic() < limit:
        pass  # an echo may be missed: it lasts some milliseconds
    start = time.monotonic()
    while GPIO.input(ECHO):
        pass
    return (time.monotonic() - start) * 343 / 2


for _ in range(2):
    rings.get()
    GPIO.output(LAMP, GPIO.HIGH)
    print("somebody is near" if distance() < 1 else "somebody is far away", flush=True)
    GPIO.output(LAMP, GPIO.LOW)
GPIO.cleanup()
