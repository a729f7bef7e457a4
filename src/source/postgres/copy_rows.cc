#include "source/postgres/copy_rows.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>

#include "base/text.h"
#include "source/postgres/copy_reader.h"

namespace biwa::postgres {

namespace {

// A block ends early where its strings are large: what is read ahead of the warehouse stays small.
constexpr std::size_t kBlockBytesMax = 16 << 20;

// A row of so many bytes is mostly strings: copied as a whole it costs less than one by one.
constexpr std::size_t kKeptWhole = 512;

class CopyRowReader final : public RowReader {
  public:
    using GiveBack = std::function<void(Connection)>;

    CopyRowReader(GiveBack give_back, Connection connection, CatalogTable table,
                  std::atomic<std::uint64_t>* unrepresentable)
        : give_back_(std::move(give_back)),
          unrepresentable_(unrepresentable),
          connection_(std::move(connection)),
          table_(std::move(table)),
          decoder_(table_.decoders) {}

    Result<std::size_t> Fill(RowBlock& block) override {
        if (ended_) return std::size_t{0};
        arena_.Clear();
        DecodeContext context{&arena_};
        std::size_t row = 0;
        while (row < kBlockRows && arena_.bytes() < kBlockBytesMax) {
            char* buffer = nullptr;
            const int length = PQgetCopyData(connection_->raw(), &buffer, 0);
            if (length < 0) {
                BIWA_TRY(Finish(length));
                break;
            }
            std::string_view bytes(buffer, static_cast<std::size_t>(length));
            if (bytes.size() >= kKeptWhole) {
                auto* const kept = arena_.Allocate(bytes.size());
                std::memcpy(kept, bytes.data(), bytes.size());
                context.kept = bytes = {kept, bytes.size()};
            }
            const auto piece = decoder_.Decode(bytes, block, row, context);
            context.kept = {};
            PQfreemem(buffer);
            if (!piece) {
                return Within(fmt::format("copying {}", table_.table.ToString()), piece.error());
            }
            if (*piece == CopyDecoder::Piece::kRow) ++row;
        }
        if (unrepresentable_ != nullptr) *unrepresentable_ += context.unrepresentable;
        return row;
    }

  private:
    Status Finish(int length) {
        const auto doing = fmt::format("copying {}", table_.table.ToString());
        if (length == -2) return tl::unexpected(connection_->LastError(doing));
        const std::unique_ptr<PGresult, ResultDeleter> result(PQgetResult(connection_->raw()));
        if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
            return tl::unexpected(connection_->LastError(doing));
        }
        while (PGresult* more = PQgetResult(connection_->raw())) PQclear(more);
        ended_ = true;
        give_back_(std::move(*connection_));
        connection_.reset();
        return {};
    }

    const GiveBack give_back_;
    std::atomic<std::uint64_t>* const unrepresentable_;
    std::optional<Connection> connection_;
    const CatalogTable table_;
    CopyDecoder decoder_;
    Arena arena_;
    bool ended_ = false;
};

}  // namespace

std::string QualifiedName(const SourceTable& table) {
    return QuoteIdentifier(table.schema) + "." + QuoteIdentifier(table.name);
}

std::string Selected(const std::string& column, bool as_text) {
    const auto name = QuoteIdentifier(column);
    if (!as_text) return name;
    return fmt::format("CASE WHEN {0} IS DISTINCT FROM NULL THEN pg_catalog.concat({0}) END", name);
}

std::unique_ptr<RowReader> ReadCopy(Connection connection, CatalogTable table,
                                    std::atomic<std::uint64_t>* unrepresentable,
                                    std::function<void(Connection)> give_back) {
    return std::make_unique<CopyRowReader>(std::move(give_back), std::move(connection),
                                           std::move(table), unrepresentable);
}

}  // namespace biwa::postgres
