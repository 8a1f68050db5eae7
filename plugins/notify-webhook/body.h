/* body.h - what is sent, in the words of each kind of service
 *
 * Pure.  A template turns a notice into the JSON object that one target (a person's topic, or the service as a
 * whole) is sent.
 */
#pragma once

#include <secret-proxy/json.h>
#include <secret-proxy/notifier.h>

/* What bodies are made with. */
typedef struct {
  GBytes *key; /* NULL: nothing is signed */
  const char *instance;
  const char *answers; /* where buttons send their token; NULL: no buttons */
  const char *topic;   /* of ntfy, for everybody; NULL: each person's id is one's topic */
} WhMaker;

/* An answer that the core has judged. */
typedef struct {
  const char *notice, *choice, *person;
  guint32 result;   /* SpAnswerResult */
  const char *text; /* for that person; may be NULL */
} WhJudged;

typedef struct {
  const char *name;
  gboolean json; /* signed both ways, with deliveries and events */
  /* @target: whom it is for; @delivery: its UUID, for json.  What they return is to be unreffed. */
  JsonObject *(*notice) (const WhMaker *maker, const SpNotice *notice, const char *target,
                         const char *delivery);
  JsonObject *(*settled) (const WhMaker *maker, const SpNotice *notice, const SpOutcome *outcome,
                          const char *target, const char *delivery);
  /* NULL: nothing to say.  Unset: it never has. */
  JsonObject *(*answered) (const WhMaker *maker, const WhJudged *judged, const char *delivery);
} WhTemplate;

extern const WhTemplate wh_template_json, wh_template_ntfy, wh_template_slack;

/* Where one is found by its name; NULL: there is none. */
const WhTemplate *wh_template_find (const char *name);

/* Names of SpAnswerResult. */
const char *wh_result_name (guint32 result);

/* {"event":"ping"}, to see whether a service of template json is there.  Unref it. */
JsonObject *wh_json_ping (const WhMaker *maker);
