// A transaction that MySQL has put into one event, compressed (TRANSACTION_PAYLOAD, of
// binlog_transaction_compression): its events one after another. It is uncompressed piece by piece,
// so that a transaction of gigabytes takes the memory of one event.
//
//   body    fields, each a packed number, the packed length of its value, and the value, a packed
//           number: 1 bytes of the payload, 2 how it is compressed (0 Zstandard), 3 its bytes
//           before that; a field 0, without a length, ends them. Then the payload: events with
//           their headers, without checksums. The place in their headers is none in the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/row_store.h"

struct ZSTD_DCtx_s;

namespace biwa::mysql {

class TransactionPayload {
  public:
    // `body` of the event; without an owner it is copied. kCorrupt when it is not of the format,
    // kConflict when it is compressed in another way.
    static Result<TransactionPayload> Open(const SharedBytes& body);

    // The next event, from its header on; empty behind the last. It stays until the next call, one
    // of kLargeEvent bytes and more as long as its owner does.
    Result<SharedBytes> Next();

    static constexpr std::size_t kLargeEvent = 1 << 20;

  private:
    struct Deleter {
        void operator()(ZSTD_DCtx_s* context) const;
    };

    TransactionPayload() = default;
    // Whether so many bytes are ready; false when the payload ends before them.
    Result<bool> MakeReady(std::size_t bytes);

    SharedBytes compressed_;  // what is left
    std::uint64_t length_ = 0;
    std::unique_ptr<ZSTD_DCtx_s, Deleter> context_;
    bool is_whole_ = false;  // a frame has ended with what was read
    std::uint64_t uncompressed_ = 0;
    std::string ready_;
    std::size_t at_ = 0;  // in `ready_`
};

}  // namespace biwa::mysql
