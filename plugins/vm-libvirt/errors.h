/* errors.h - what libvirt says went wrong, as an error of ours */
#pragma once

#include <secret-proxy/plugin.h>

/* From now on libvirt does not print its errors. */
void sp_libvirt_errors_silence (void);

/* The last error of libvirt on this thread, after a call that failed.  FALSE always. */
gboolean sp_libvirt_fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);
/* Whether it says that there is no such domain. */
gboolean sp_libvirt_is_gone (void);
/* Which of ours a code of libvirt's is. */
SpErrorCode sp_libvirt_code (int code);
