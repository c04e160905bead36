/* The smallest test harness that says what failed and where.
 *
 * A test file has functions `static void test_x(void)` and
 *     int main(void) { RUN(test_a); RUN(test_b); return check_done(); }
 * CHECK* count a failure and go on; REQUIRE leaves the test function.  The
 * exit status is 1 when anything failed.
 */
#ifndef TESTS_CHECK_H
#define TESTS_CHECK_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static const char *check_name = "";
static unsigned check_tests;
static unsigned check_failures;

static inline bool
check_true(bool ok, const char *what, const char *file, int line)
{
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: %s: failed: %s\n", file, line, check_name, what);
    }
    return ok;
}

static inline bool
check_equal(int64_t got, int64_t want, const char *what, const char *file, int line)
{
    if (got != want) {
        check_failures++;
        fprintf(stderr,
                "%s:%d: %s: %s is %" PRId64 " (0x%" PRIx64 "), want %" PRId64
                " (0x%" PRIx64 ")\n",
                file, line, check_name, what, got, (uint64_t)got, want, (uint64_t)want);
    }
    return got == want;
}

static inline void
check_print_bytes(const char *label, const uint8_t *bytes, size_t n)
{
    fprintf(stderr, "    %s", label);
    for (size_t i = 0; i < n; i++) {
        fprintf(stderr, " %02x", bytes[i]);
    }
    fputc('\n', stderr);
}

static inline bool
check_bytes(const uint8_t *got, const uint8_t *want, size_t n, const char *what,
            const char *file, int line)
{
    bool ok = memcmp(got, want, n) == 0;
    if (!ok) {
        check_failures++;
        fprintf(stderr, "%s:%d: %s: %s differs\n", file, line, check_name, what);
        check_print_bytes("got ", got, n);
        check_print_bytes("want", want, n);
    }
    return ok;
}

#define CHECK(cond) check_true((cond), #cond, __FILE__, __LINE__)
#define CHECK_EQ(got, want) \
    check_equal((int64_t)(got), (int64_t)(want), #got, __FILE__, __LINE__)
/* CHECK_BYTES(buffer, 0x01, 0x02): the buffer begins with these bytes. */
#define CHECK_BYTES(got, ...)                          \
    check_bytes((got), (const uint8_t[]){__VA_ARGS__}, \
                sizeof((const uint8_t[]){__VA_ARGS__}), #got, __FILE__, __LINE__)
#define REQUIRE(cond)     \
    do {                  \
        if (!CHECK(cond)) \
            return;       \
    } while (0)

static inline void
check_run(const char *name, void (*test)(void))
{
    unsigned before = check_failures;
    check_name = name;
    check_tests++;
    test();
    printf("%s %s\n", check_failures == before ? "ok" : "FAILED", name);
    fflush(stdout);
}

#define RUN(test) check_run(#test, test)

static inline int
check_done(void)
{
    printf("%u tests, %u failures\n", check_tests, check_failures);
    return check_failures != 0 || check_tests == 0;
}

#endif
