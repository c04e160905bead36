/* What a program has done with its devices and executors: each is counted where it
 * happens, with the GIL held, and always; `run --trace` reads it (_core._uses()).
 */
#ifndef AH_USES_H
#define AH_USES_H

/* X(name) */
#define AH_USES(X)                                                   \
    X(spi_messages)                                                  \
    X(spi_bytes)                                                     \
    X(i2c_messages)                                                  \
    X(i2c_bytes)    /* SMBus: of its data */                         \
    X(tag_messages) /* SPI messages of readers */                    \
    X(tag_polls)    /* by who waits for a tag, or for its removal */ \
    X(tag_requests) /* by who asks once */                           \
    X(tag_silences) /* of these, unanswered */                       \
    X(line_reads)                                                    \
    X(line_writes)                                                   \
    X(edges)                                                         \
    X(edge_waits)                                                    \
    X(executor_jobs)                                                 \
    X(executor_threads)                                              \
    X(executor_threads_most) /* at once, in one pool */              \
    X(executor_seats)        /* that jobs at once would have taken, of all pools */

#endif
