/* report.h - between the suite and its children: what a child is to do, and what it says
 *
 * A child gets its order as a GVariant on descriptor SP_CHECK_ORDER_FD, since secrets may be in it, and
 * writes lines to SP_CHECK_REPORT_FD: a letter, and a text without control characters.
 */
#pragma once

#include <gio/gio.h>

#define SP_CHECK_REPORT_FD 3
#define SP_CHECK_ORDER_FD 4

/* path, point, folder, second process?, shape, live, given, lingers, options, secrets, people */
#define SP_CHECK_ORDER_TYPE "(sssbubbba{ss}a{say}as)"

#define SP_CHECK_ORDER_OPTIONS 8
#define SP_CHECK_ORDER_SECRETS 9
#define SP_CHECK_ORDER_PEOPLE 10

/* The lines. */
#define SP_CHECK_BEGINS 'O'   /* the order is understood */
#define SP_CHECK_CALLS 'C'    /* what is called now */
#define SP_CHECK_RETURNED 'R' /* it has returned */
#define SP_CHECK_BLAMES 'B'   /* the number of a rule, a space, what broke it */
#define SP_CHECK_FAILS 'F'    /* the point has failed: why */
#define SP_CHECK_SKIPS 'S'    /* it is not judged: why */
#define SP_CHECK_AWAY 'A'     /* the same, and so is all that needs the service */
#define SP_CHECK_SHAPE 'P'    /* the shape of paths that this plugin takes */
#define SP_CHECK_HANGS 'H'    /* a call does not come to its end: there is no use in going on */
#define SP_CHECK_DONE 'D'     /* the point came to its end */

/* Start a child for @order (SP_CHECK_ORDER_TYPE), with @report_fd and @stdout_fd, which stay the caller's, as
 * its own.  -1: @error. */
GPid sp_check_spawn (GVariant *order, int report_fd, int stdout_fd, GError **error);
