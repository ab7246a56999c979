// Answering queries about parameters that a run has saved. No service, no connection.
#ifndef PILOTHOUSE_TRAINER_CHANNEL_SAVED_QUERY_H_
#define PILOTHOUSE_TRAINER_CHANNEL_SAVED_QUERY_H_

#include "pilothouse/v1/trainer_channel.pb.h"
#include "trainer/plugin/plugin_kind.h"

namespace pilothouse::trainer {

// What the query asks, of a trainer with these kinds of plugins, or the error that kept it from being answered. A
// StateAnswer holds the batch, the status STOPPED and, if asked for, the state vector: the rest of the run's last state
// is in its journal. CHECKPOINT_DAMAGED if the file of parameters has not the content that the query names.
// Thread-safe.
v1::Answer AnswerSaved(const v1::SavedQuery& query, const PluginKinds& plugin_kinds);

}  // namespace pilothouse::trainer

#endif  // PILOTHOUSE_TRAINER_CHANNEL_SAVED_QUERY_H_
