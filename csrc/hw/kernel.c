/* The kernel's devices for Python: module functions over dev/gpiochip and
 * dev/spidev and dev/i2cdev, whose errors get a remedy here.  hardware.KernelBackend is
 * their only caller in this package.  Nothing here lives longer than one call but the
 * LineRequest, GPIOChip, SPIDevice or I2CBus that it returns.
 */
#include <errno.h>

#include "dev/gpiochip.h"
#include "dev/gpiochip_watch.h"
#include "dev/i2cdev.h"
#include "dev/spidev.h"
#include "hw/gpiochip_type.h"
#include "hw/i2c_type.h"
#include "hw/line_settings.h"
#include "hw/line_type.h"
#include "hw/spi_type.h"
#include "py/errors.h"

#define COMPATIBLE_MAX 16

static int
raise_chip_error(int err, const char *what)
{
    const char *remedy = NULL;
    switch (err) {
        case -EACCES:
        case -EPERM:
            remedy = "add the user to group gpio, and log in again";
            break;
        case -ENOENT:
            remedy =
                "no such GPIO chip or line here (gpiodetect and gpioinfo list them); "
                "without hardware, PYASYNC_HW=sim runs on the simulator";
            break;
        case -ENOTTY:
            remedy = "it is no GPIO chip, or a kernel before 5.10";
            break;
        case -ENXIO:
            remedy = "this line can't report edges";
            break;
        case -EOPNOTSUPP:
            remedy = "the kernel lacks the event_clock that was asked for";
            break;
        case -E2BIG:
            remedy = "too many different settings for one request: make several";
            break;
        default:
            break;
    }
    return ah_raise_errno_remedy(err, what, remedy);
}

/* The line that is in use already, and by whom; -1. */
static int
raise_busy(const struct gpiochip *chip, const uint32_t *offsets, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct gpio_line_info info;
        if (gpiochip_line_info(chip, offsets[i], &info) == 0 &&
            (info.flags & GPIO_FLAG_USED) != 0) {
            char what[64], remedy[96];
            PyOS_snprintf(what, sizeof what, "line %u of %s", (unsigned)offsets[i],
                          chip->info.name);
            PyOS_snprintf(remedy, sizeof remedy, "it is in use by '%s'",
                          info.consumer[0] != '\0' ? info.consumer : "the kernel");
            return ah_raise_errno_remedy(EBUSY, what, remedy);
        }
    }
    return ah_raise_errno_remedy(EBUSY, chip->path,
                                 "a line is in use, or given twice in one request");
}

/* Names are cut at 31 bytes, be it within a character. */
static PyObject *
kernel_text(const char *text)
{
    return PyUnicode_DecodeUTF8(text, (Py_ssize_t)strlen(text), "replace");
}

/* chip_info(path) -> (name, label, num_lines) */
static PyObject *
kernel_chip_info(PyObject *Py_UNUSED(module), PyObject *arg)
{
    PyObject *path;
    struct gpiochip chip;
    if (!PyUnicode_FSConverter(arg, &path)) {
        return NULL;
    }
    PyObject *result = NULL;
    int err = gpiochip_open(&chip, PyBytes_AS_STRING(path));
    if (err < 0) {
        (void)raise_chip_error(err, PyBytes_AS_STRING(path));
    }
    else {
        result = Py_BuildValue("(NNI)", kernel_text(chip.info.name),
                               kernel_text(chip.info.label), chip.info.lines);
        gpiochip_close(&chip);
    }
    Py_DECREF(path);
    return result;
}

/* open_gpiochip(path) */
static PyObject *
kernel_open_gpiochip(PyObject *module, PyObject *arg)
{
    PyObject *path;
    struct line_chip *chip;
    if (!PyUnicode_FSConverter(arg, &path)) {
        return NULL;
    }
    int err = gpiochip_open_watch(PyBytes_AS_STRING(path), &chip);
    if (err < 0) {
        (void)raise_chip_error(err, PyBytes_AS_STRING(path));
    }
    Py_DECREF(path);
    return err < 0 ? NULL : ah_gpiochip_new(ah_state(module), chip, NULL);
}

/* line_info(path, offset) -> (name, consumer, flags) */
static PyObject *
kernel_line_info(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *path;
    unsigned int offset;
    struct gpiochip chip;
    struct gpio_line_info info;
    if (!PyArg_ParseTuple(args, "O&I:line_info", PyUnicode_FSConverter, &path,
                          &offset)) {
        return NULL;
    }
    PyObject *result = NULL;
    int err = gpiochip_open(&chip, PyBytes_AS_STRING(path));
    if (err == 0) {
        err = gpiochip_line_info(&chip, offset, &info);
        gpiochip_close(&chip);
    }
    if (err < 0) {
        (void)raise_chip_error(err, PyBytes_AS_STRING(path));
    }
    else {
        result =
            Py_BuildValue("(NNK)", kernel_text(info.name), kernel_text(info.consumer),
                          (unsigned long long)info.flags);
    }
    Py_DECREF(path);
    return result;
}

/* find_chip(label) -> path */
static PyObject *
kernel_find_chip(PyObject *Py_UNUSED(module), PyObject *arg)
{
    struct gpiochip chip;
    const char *label = PyUnicode_AsUTF8(arg);
    if (label == NULL) {
        return NULL;
    }
    int err = gpiochip_open_label(&chip, label);
    if (err < 0) {
        (void)raise_chip_error(err, label);
        return NULL;
    }
    gpiochip_close(&chip);
    return PyUnicode_DecodeFSDefault(chip.path);
}

/* find_compatible_chip(words) -> path */
static PyObject *
kernel_find_compatible_chip(PyObject *Py_UNUSED(module), PyObject *arg)
{
    const char *words[COMPATIBLE_MAX + 1] = {NULL};
    struct gpiochip chip;
    PyObject *result = NULL;
    PyObject *items = PySequence_Tuple(arg); /* runs Python */
    if (items == NULL) {
        return NULL;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(items);
    if (n < 1 || n > COMPATIBLE_MAX) {
        PyErr_Format(PyExc_ValueError, "words must be 1 to %d strings", COMPATIBLE_MAX);
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        words[i] = PyUnicode_AsUTF8(PyTuple_GET_ITEM(items, i));
        if (words[i] == NULL) {
            goto done;
        }
    }
    int err = gpiochip_open_compatible(&chip, words);
    if (err < 0) {
        (void)raise_chip_error(err, words[0]);
        goto done;
    }
    gpiochip_close(&chip);
    result = PyUnicode_DecodeFSDefault(chip.path);
done:
    Py_DECREF(items);
    return result;
}

/* find_line(name, path=None) -> (path, offset) */
static PyObject *
kernel_find_line(PyObject *Py_UNUSED(module), PyObject *args)
{
    const char *name, *path = NULL;
    struct gpiochip chip;
    uint32_t offset = 0;
    int err;
    if (!PyArg_ParseTuple(args, "s|z:find_line", &name, &path)) {
        return NULL;
    }
    if (path == NULL) {
        err = gpiochip_open_line(&chip, name, &offset);
    }
    else {
        err = gpiochip_open(&chip, path);
        if (err < 0) {
            (void)raise_chip_error(err, path);
            return NULL;
        }
        err = gpiochip_find_line(&chip, name, &offset);
        if (err < 0) {
            gpiochip_close(&chip);
        }
    }
    if (err < 0) {
        (void)raise_chip_error(err, name);
        return NULL;
    }
    gpiochip_close(&chip);
    return Py_BuildValue("(sI)", chip.path, (unsigned int)offset);
}

/* Offsets and settings of a request; how many, or -1. */
static int
parse_request(PyObject *offsets_arg, PyObject *settings_arg, uint32_t *offsets,
              struct line_settings *settings)
{
    int result = -1;
    PyObject *offset_items = PySequence_Tuple(offsets_arg); /* runs Python */
    PyObject *setting_items =
        offset_items != NULL ? PySequence_Tuple(settings_arg) : NULL; /* runs Python */
    if (setting_items == NULL) {
        goto done;
    }
    Py_ssize_t n = PyTuple_GET_SIZE(offset_items);
    if (n < 1 || n > LINES_MAX || PyTuple_GET_SIZE(setting_items) != n) {
        PyErr_Format(PyExc_ValueError,
                     "1 to %d lines can be requested at once, with one LineSettings "
                     "each; not %zd lines with %zd settings",
                     LINES_MAX, n, PyTuple_GET_SIZE(setting_items));
        goto done;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        long long offset;
        if (ah_integer_arg(PyTuple_GET_ITEM(offset_items, i), "line", 0, UINT32_MAX,
                           &offset) < 0 ||
            ah_line_settings_parse(PyTuple_GET_ITEM(setting_items, i), &settings[i]) <
                0) /* runs Python */
        {
            goto done;
        }
        offsets[i] = (uint32_t)offset;
    }
    result = (int)n;
done:
    Py_XDECREF(offset_items);
    Py_XDECREF(setting_items);
    return result;
}

struct kernel_open {
    const struct gpiochip *chip;
    uint32_t event_buffer_size;
};

static int
open_first(void *arg, const struct line_wish *wish, struct line_request *request)
{
    const struct kernel_open *opening = arg;
    struct line_request *made;
    int err = gpiochip_request(opening->chip, &wish->offset, 1, wish->settings,
                               wish->consumer, opening->event_buffer_size, &made);
    if (err >= 0) {
        *request = *made;
    }
    return err;
}

/* request_lines(path, offsets, settings, consumer, event_buffer_size=0) */
static PyObject *
kernel_request_lines(PyObject *module, PyObject *args)
{
    PyObject *path, *offsets_arg, *settings_arg;
    const char *consumer;
    uint32_t event_buffer_size = 0;
    uint32_t offsets[LINES_MAX];
    struct line_settings settings[LINES_MAX];
    struct gpiochip chip;
    struct line_request *request;
    PyObject *result = NULL;
    if (!PyArg_ParseTuple(args, "O&OOs|O&:request_lines", PyUnicode_FSConverter, &path,
                          &offsets_arg, &settings_arg, &consumer, ah_buffer_size_arg,
                          &event_buffer_size)) {
        return NULL;
    }
    int n = parse_request(offsets_arg, settings_arg, offsets, settings);
    if (n < 0) {
        goto done;
    }
    int err = gpiochip_open(&chip, PyBytes_AS_STRING(path));
    if (err < 0) {
        (void)raise_chip_error(err, PyBytes_AS_STRING(path));
        goto done;
    }
    for (int i = 0; i < n; i++) {
        if (offsets[i] >= chip.info.lines) {
            PyErr_Format(PyExc_ValueError, "%s has lines 0 to %u, not %u",
                         chip.info.name, (unsigned)chip.info.lines - 1,
                         (unsigned)offsets[i]);
            gpiochip_close(&chip);
            goto done;
        }
    }
    struct line_conflict conflict = {.difference.setting = NULL};
    struct kernel_open opening = {&chip, event_buffer_size};
    struct line_wish wish = {chip.info.name, offsets[0], settings, consumer};
    if (n == 1) {
        err = shared_lines_open(&ah_state(module)->shared_lines, &wish, open_first,
                                &opening, &request, &conflict);
    }
    else {
        err = gpiochip_request(&chip, offsets, (unsigned)n, settings, consumer,
                               event_buffer_size, &request);
    }
    if (err == -EBUSY && conflict.difference.setting != NULL) {
        (void)ah_raise_line_conflict(chip.info.name, offsets[0], &conflict);
    }
    else if (err == -EBUSY) {
        (void)raise_busy(&chip, offsets, (unsigned)n);
    }
    else if (err < 0) {
        (void)raise_chip_error(err, chip.path);
    }
    gpiochip_close(&chip);
    if (err >= 0) {
        PyOS_snprintf(request->consumer, sizeof request->consumer, "%s", consumer);
        result = ah_line_request_new(ah_state(module), request, NULL);
    }
done:
    Py_DECREF(path);
    return result;
}

/* open_spidev(path, name, speed_hz, mode) */
static PyObject *
kernel_open_spidev(PyObject *module, PyObject *args)
{
    PyObject *path;
    const char *name;
    struct spi_config config = {.bits_per_word = 8};
    struct spi_device *device;
    unsigned int speed_hz, mode;
    if (!PyArg_ParseTuple(args, "O&sII:open_spidev", PyUnicode_FSConverter, &path,
                          &name, &speed_hz, &mode)) {
        return NULL;
    }
    config.speed_hz = speed_hz;
    config.mode = mode;
    int err = spidev_open(PyBytes_AS_STRING(path), name, &config, &device);
    if (err < 0) {
        const char *remedy = NULL;
        if (err == -ENOENT) {
            remedy =
                "switch SPI on (raspi-config, or dtparam=spi=on in "
                "/boot/firmware/config.txt) and reboot; without hardware, "
                "PYASYNC_HW=sim runs on the simulator";
        }
        else if (err == -EACCES || err == -EPERM) {
            remedy = "add the user to group spi, and log in again";
        }
        else if (err == -ENOTTY) {
            remedy = "it is no SPI device";
        }
        else if (err == -EINVAL) {
            remedy = "the controller can't do this mode or speed";
        }
        (void)ah_raise_errno_remedy(err, PyBytes_AS_STRING(path), remedy);
        Py_DECREF(path);
        return NULL;
    }
    Py_DECREF(path);
    return ah_spi_device_new(ah_state(module), device, NULL);
}

/* open_i2cdev(path, name) */
static PyObject *
kernel_open_i2cdev(PyObject *module, PyObject *args)
{
    PyObject *path;
    const char *name;
    struct i2c_bus *bus;
    if (!PyArg_ParseTuple(args, "O&s:open_i2cdev", PyUnicode_FSConverter, &path,
                          &name)) {
        return NULL;
    }
    int err = i2cdev_open(PyBytes_AS_STRING(path), name, &bus);
    if (err < 0) {
        const char *remedy = NULL;
        if (err == -ENOENT) {
            remedy =
                "switch I2C on (raspi-config, or dtparam=i2c_arm=on in "
                "/boot/firmware/config.txt) and reboot; without hardware, "
                "PYASYNC_HW=sim runs on the simulator";
        }
        else if (err == -EACCES || err == -EPERM) {
            remedy = "add the user to group i2c, and log in again";
        }
        else if (err == -ENOTTY) {
            remedy = "it is no I2C bus";
        }
        (void)ah_raise_errno_remedy(err, PyBytes_AS_STRING(path), remedy);
        Py_DECREF(path);
        return NULL;
    }
    Py_DECREF(path);
    return ah_i2c_bus_new(ah_state(module), bus, NULL);
}

static PyMethodDef kernel_methods[] = {
    {"chip_info", kernel_chip_info, METH_O,
     PyDoc_STR("chip_info($module, path, /)\n--\n\n"
               "(name, label, number of lines) of a GPIO chip.")},
    {"line_info", kernel_line_info, METH_VARARGS,
     PyDoc_STR("line_info($module, path, offset, /)\n--\n\n"
               "(name, consumer, GPIO_V2_LINE_FLAG_*) of a line; names may be empty.")},
    {"open_gpiochip", kernel_open_gpiochip, METH_O,
     PyDoc_STR("open_gpiochip($module, path, /)\n--\n\n"
               "Open a GPIO chip to look at its lines: a GPIOChip.")},
    {"find_chip", kernel_find_chip, METH_O,
     PyDoc_STR("find_chip($module, label, /)\n--\n\n"
               "Path of the GPIO chip of that label or name.")},
    {"find_compatible_chip", kernel_find_compatible_chip, METH_O,
     PyDoc_STR("find_compatible_chip($module, words, /)\n--\n\n"
               "Path of the GPIO chip whose device tree node is compatible with one "
               "of words.")},
    {"find_line", kernel_find_line, METH_VARARGS,
     PyDoc_STR("find_line($module, name, path=None, /)\n--\n\n"
               "(path of the chip, offset) of the line of that name.")},
    {"request_lines", kernel_request_lines, METH_VARARGS,
     PyDoc_STR("request_lines($module, path, offsets, settings, consumer,\n"
               "              event_buffer_size=0, /)\n--\n\n"
               "Request lines of a GPIO chip, one LineSettings each: a LineRequest.")},
    {"open_spidev", kernel_open_spidev, METH_VARARGS,
     PyDoc_STR("open_spidev($module, path, name, speed_hz, mode, /)\n--\n\n"
               "Open a device of the kernel's spidev driver: an SPIDevice.")},
    {"open_i2cdev", kernel_open_i2cdev, METH_VARARGS,
     PyDoc_STR("open_i2cdev($module, path, name, /)\n--\n\n"
               "Open a bus of the kernel's i2c-dev driver: an I2CBus.")},
    {NULL, NULL, 0, NULL},
};

int
ah_kernel_setup(PyObject *module)
{
    int err = shared_lines_init(&ah_state(module)->shared_lines);
    if (err < 0) {
        return ah_raise_errno(err, "lock of the GPIO lines");
    }
    return PyModule_AddFunctions(module, kernel_methods);
}
