/* PWM on a requested output line: by the line itself, if it can (a simulated one), else
 * by the process's thread. */
#ifndef AH_DEV_PWM_LINE_H
#define AH_DEV_PWM_LINE_H

#include "dev/line.h"
#include "dev/pwm.h"
#include "dev/pwm_thread.h"

/* Takes over `line`, which its close gives back; not on failure.  `rest`: the level of
 * one that is stopped, or closed.  `thread` lives as long. */
int pwm_line_open(struct line_request *line, struct pwm_thread *thread, bool rest,
                  struct pwm_device **out);

#endif
