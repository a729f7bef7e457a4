#include "source/mysql/transaction_payload.h"

#include <fmt/format.h>
#include <zstd.h>

#include <optional>
#include <utility>

#include "source/mysql/byte_reader.h"

namespace biwa::mysql {

namespace {

// Of an event: the largest packet there is, and the smallest header.
constexpr std::uint64_t kEventMax = 1U << 30;
constexpr std::size_t kHeaderBytes = 19;
constexpr std::size_t kSizeAt = 9;

tl::unexpected<Error> Broken(std::string_view what) {
    return Corrupt(fmt::format("a compressed transaction of the binary log {}", what));
}

}  // namespace

void TransactionPayload::Deleter::operator()(ZSTD_DCtx_s* context) const { ZSTD_freeDCtx(context); }

Result<TransactionPayload> TransactionPayload::Open(const SharedBytes& body) {
    constexpr std::uint64_t kEnd = 0, kBytes = 1, kCompression = 2, kUncompressedBytes = 3;
    constexpr std::uint64_t kZstandard = 0;
    ByteReader reader(body.bytes);
    std::optional<std::uint64_t> bytes, compression, uncompressed;
    for (auto field = reader.Packed(); reader.ok() && field != kEnd; field = reader.Packed()) {
        ByteReader value(reader.PackedText());
        switch (field) {
            case kBytes:
                bytes = value.Packed();
                break;
            case kCompression:
                compression = value.Packed();
                break;
            case kUncompressedBytes:
                uncompressed = value.Packed();
                break;
            default:
                continue;  // of a later server
        }
        if (!value.at_end()) return Broken("has a header that is not known");
    }
    const auto payload = reader.TakeRest();
    if (!reader.ok() || !bytes || !compression || !uncompressed || *bytes != payload.size()) {
        return Broken("is cut off or too long");
    }
    if (*compression != kZstandard) {
        return Fail(ErrorKind::kConflict,
                    fmt::format("the server compresses transactions in a way that is not known "
                                "here ({})",
                                *compression),
                    "SET GLOBAL binlog_transaction_compression = OFF.");
    }
    TransactionPayload opened;
    opened.length_ = *uncompressed;
    if (body.owner) {
        opened.compressed_ = {body.owner, payload};
    } else {
        auto copy = std::make_shared<const std::string>(payload);
        opened.compressed_ = {copy, *copy};
    }
    opened.context_.reset(ZSTD_createDCtx());
    if (!opened.context_) return Unavailable("following the binary log: out of memory");
    return opened;
}

Result<bool> TransactionPayload::MakeReady(std::size_t bytes) {
    const auto piece = ZSTD_DStreamOutSize();
    while (ready_.size() - at_ < bytes) {
        if (at_ > 0) ready_.erase(0, std::exchange(at_, 0));
        const auto begin = ready_.size();
        ready_.resize(begin + piece);
        ZSTD_inBuffer in{compressed_.bytes.data(), compressed_.bytes.size(), 0};
        ZSTD_outBuffer out{ready_.data() + begin, piece, 0};
        const auto left = ZSTD_decompressStream(context_.get(), &out, &in);
        ready_.resize(begin + out.pos);
        if (ZSTD_isError(left) != 0) {
            return Broken(fmt::format("cannot be uncompressed ({})", ZSTD_getErrorName(left)));
        }
        if (in.pos == 0 && out.pos == 0) return false;
        is_whole_ = left == 0;
        uncompressed_ += out.pos;
        if (uncompressed_ > length_) return Broken("is longer than it says");
        compressed_.bytes.remove_prefix(in.pos);
    }
    return true;
}

Result<SharedBytes> TransactionPayload::Next() {
    if (!BIWA_TRY(MakeReady(kHeaderBytes))) {
        if (at_ == ready_.size() && is_whole_ && uncompressed_ == length_) return SharedBytes{};
        return Broken("ends too early");
    }
    const auto size = LoadLittleEndian(ready_.data() + at_ + kSizeAt, 4);
    if (size < kHeaderBytes || size > kEventMax) return Broken("has an event of impossible length");
    if (!BIWA_TRY(MakeReady(size))) return Broken("ends too early");
    if (size < kLargeEvent) {
        const std::string_view event(ready_.data() + at_, size);
        at_ += size;
        return SharedBytes{nullptr, event};
    }
    // Its memory goes with whoever holds on to it.
    std::string rest(ready_, at_ + size);
    const auto owner = std::make_shared<const std::string>(std::move(ready_));
    ready_ = std::move(rest);
    return SharedBytes{owner, std::string_view(*owner).substr(std::exchange(at_, 0), size)};
}

}  // namespace biwa::mysql
