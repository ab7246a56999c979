// Bounds that several programs must agree on. Bounds of one program stand in its own folder.
#ifndef PILOTHOUSE_PROTO_SUPPORT_LIMITS_H_
#define PILOTHOUSE_PROTO_SUPPORT_LIMITS_H_

#include <cstdint>

namespace pilothouse {

// Largest message that the transport takes, in either direction.
inline constexpr int kMaxMessageBytes = 64 << 20;
// Largest `inputs` of a Predict.
inline constexpr int64_t kMaxPredictBytes = 16 << 20;
// Largest chunk of an upload.
inline constexpr int64_t kMaxChunkBytes = 1 << 20;
// Largest state vector that GetState returns: 32 MiB in float64.
inline constexpr int64_t kMaxStateParameters = 4 << 20;
// Largest state vector that travels as an event.
inline constexpr int64_t kMaxStateEventParameters = 65536;
// Largest target: beyond it a double no longer holds every whole number.
inline constexpr int64_t kMaxTarget = int64_t{1} << 53;
// Largest request_id and origin.
inline constexpr int kMaxRequestIdBytes = 128;
inline constexpr int kMaxOriginBytes = 128;
inline constexpr int kMaxNoteBytes = 512;
// Plugins of a run, and of one plugin: its settings, and the bytes of each and of its schedule.
inline constexpr int kMaxPlugins = 256;
inline constexpr int kMaxPluginSettings = 64;
inline constexpr int kMaxPluginTextBytes = 1024;
// All of a plugin's spec. Every change of the plugins is reported with all of them, in one message.
inline constexpr int kMaxPluginSpecBytes = 16 << 10;
// Largest report of a plugin: named numbers, histograms, and bins of a histogram.
inline constexpr int kMaxPluginValues = 1024;
inline constexpr int kMaxPluginHistograms = 256;
inline constexpr int kMaxHistogramBins = 256;

}  // namespace pilothouse

#endif  // PILOTHOUSE_PROTO_SUPPORT_LIMITS_H_
