/* notice.h - notices for the points of notifiers, and the calls that take one */
#pragma once

#include "plugin/check/case.h"

#define SP_CHECK_TITLE "Release of the secret deploy-key"
#define SP_CHECK_CORE_VALUE "builder-seven"
#define SP_CHECK_AGENT_VALUE "weekly rollout"

/* A plain one: a field of the core, a field of the agent, two choices.  Constant. */
const SpNotice *sp_check_notice (void);
/* The same with another id. */
SpNotice sp_check_notice_named (const char *id);

/* post() within @deadline_ms; from then on it may be answered. */
gboolean sp_check_post (SpCheckInstance *instance, const SpNotice *notice, guint deadline_ms,
                        GError **error);
/* TRUE where the plugin has no settle(). */
gboolean sp_check_settle (SpCheckInstance *instance, const SpNotice *notice, guint32 kind,
                          guint deadline_ms, GError **error);
/* The same, or the point has its verdict. */
gboolean sp_check_need_post (SpCheckInstance *instance, const SpNotice *notice);
gboolean sp_check_need_settle (SpCheckInstance *instance, const SpNotice *notice, guint32 kind);
