// Messages of pgoutput, each with a byte of length in front, to a decoder that knows some types:
// they end in a batch whose parts agree with each other, or in an error.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "source/postgres/pgoutput.h"
#include "types_for_fuzzing.h"

namespace {

using namespace biwa;
using namespace biwa::postgres;

// Every relation is of the stream; its first column is the key.
class AnyRelation final : public RelationResolver {
  public:
    Result<std::optional<ResolvedRelation>> Resolve(const Relation& relation) override {
        if (relation.columns.empty()) return std::optional<ResolvedRelation>();
        static const auto types = TypesForFuzzing();
        ResolvedRelation resolved;
        auto schema = std::make_shared<TableSchema>();
        for (const auto& column : relation.columns) {
            // Two dimensions for every other array: what its modifier says is of no meaning else.
            auto decoder =
                DecoderFor(column.type, column.modifier, types, column.modifier % 2 == 0 ? 2 : 1);
            schema->columns.push_back({column.name, decoder.type, true, decoder.note});
            resolved.decoders.push_back(std::move(decoder));
        }
        schema->key = {0};
        resolved.columns = std::move(schema);
        return std::optional<ResolvedRelation>(std::move(resolved));
    }
};

void CheckBatch(const ChangeBatch& batch) {
    for (const auto& part : batch.tables) {
        BIWA_CHECK(part.rows.rows() == part.kinds.size());
        BIWA_CHECK(part.old_keys.rows() == part.key_changes.size());
        for (const auto& change : part.key_changes) {
            BIWA_CHECK(change.row < part.rows.rows() && change.old_key < part.old_keys.rows());
        }
        for (const auto& unchanged : part.unchanged) {
            BIWA_CHECK(unchanged.row < part.rows.rows());
            BIWA_CHECK(unchanged.column < part.columns->columns.size());
            BIWA_CHECK(part.rows.cells(unchanged.column).IsNull(unchanged.row));
        }
        for (std::size_t column = 0; column < part.columns->columns.size(); ++column) {
            const auto& cells = part.rows.cells(column);
            for (std::size_t row = 0; row < part.rows.rows(); ++row) {
                if (cells.IsNull(row) || !IsString(cells.type)) continue;
                std::size_t sum = 0;
                for (const char c : cells.GetString(row)) sum += static_cast<unsigned char>(c);
                BIWA_CHECK(sum <= cells.GetString(row).size() * 255);
            }
        }
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    AnyRelation resolver;
    PgOutputDecoder decoder(resolver);
    while (!rest.empty()) {
        const auto length = static_cast<unsigned char>(rest.front());
        rest.remove_prefix(1);
        const auto message = rest.substr(0, length);
        rest.remove_prefix(message.size());
        if (!decoder.Decode(message)) return 0;
        if (length % 7 == 0) CheckBatch(decoder.TakeBatch());
    }
    CheckBatch(decoder.TakeBatch());
    return 0;
}
