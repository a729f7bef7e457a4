#include "source/dump/dump_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "model/row_store.h"
#include "source/dump/rows_of_text.h"

namespace biwa::dump {

namespace {

// A block ends early where its strings are large.
constexpr std::size_t kBlockBytesMax = 16 << 20;

class SectionReader final : public RowReader {
  public:
    SectionReader(LineFile file, std::shared_ptr<const Contents> contents, const Section& section,
                  std::vector<const postgres::ColumnDecoder*> decoders,
                  std::vector<std::size_t> targets, std::atomic<std::uint64_t>& unrepresentable)
        : file_(std::move(file)),
          contents_(std::move(contents)),
          section_(section),
          decoders_(std::move(decoders)),
          targets_(std::move(targets)),
          rows_left_(section.rows),
          unrepresentable_(unrepresentable) {}

    Result<std::size_t> Fill(RowBlock& block) override {
        arena_.Clear();
        postgres::DecodeContext context{&arena_};
        std::size_t row = 0;
        while (rows_left_ > 0 && row < kBlockRows && arena_.bytes() < kBlockBytesMax) {
            const auto line = file_.place().line;
            BIWA_TRY(ReadRow());
            BIWA_TRY(Decode(line, block, row, context));
            ++row;
            --rows_left_;
        }
        // What was read is what was counted only if nobody has written to it meanwhile.
        if (rows_left_ == 0 && contents_->mark != BIWA_TRY(file_.mark())) return Changed();
        unrepresentable_ += context.unrepresentable;
        return row;
    }

  private:
    Status ReadRow() {
        if (contents_->format == Format::kCsv) {
            if (!BIWA_TRY(ReadCsvRow(file_, row_))) return Changed();
            return {};
        }
        std::string_view line;
        if (!BIWA_TRY(file_.Next(line))) return Changed();
        ReadCopyRow(line, row_);
        return {};
    }

    Status Decode(std::uint64_t line, RowBlock& block, std::size_t row,
                  postgres::DecodeContext& context) {
        if (row_.fields.size() != targets_.size()) {
            // The row of a table that has no columns is an empty line; there is none here.
            return UserError(fmt::format("{}:{}: the row has {} values, the table {} columns",
                                         file_.path(), line, row_.fields.size(), targets_.size()));
        }
        for (std::size_t i = 0; i < targets_.size(); ++i) {
            if (targets_[i] == kNotWanted) continue;
            auto& cells = block.columns[targets_[i]];
            if (!row_.fields[i]) {
                cells.SetNull(row);
                continue;
            }
            const auto& decoder = *decoders_[i];
            const auto text = *row_.fields[i];
            const bool is_text = decoder.type.id == TypeId::kText ||
                                 decoder.type.id == TypeId::kJson ||
                                 decoder.type.id == TypeId::kList;
            if ((is_text && !IsValidUtf8(text)) ||
                !decoder.text(decoder, text, cells, row, context)) {
                return UserError(fmt::format("{}:{}: column {} has a value that is no {}",
                                             file_.path(), line, section_.columns[i],
                                             is_text ? "text in UTF-8" : ToSql(decoder.type)));
            }
        }
        return {};
    }

    tl::unexpected<Error> Changed() const {
        return Unavailable(fmt::format("{} has changed while it was read", file_.path()));
    }

  public:
    static constexpr std::size_t kNotWanted = ~std::size_t{0};

  private:
    LineFile file_;
    const std::shared_ptr<const Contents> contents_;  // holds the two below
    const Section& section_;
    const std::vector<const postgres::ColumnDecoder*> decoders_;  // one a field
    const std::vector<std::size_t> targets_;                      // one a field
    std::int64_t rows_left_;
    std::atomic<std::uint64_t>& unrepresentable_;
    TextRow row_;
    Arena arena_;
};

}  // namespace

Result<std::unique_ptr<RowReader>> ReadSection(const std::string& path,
                                               std::shared_ptr<const Contents> contents,
                                               const DumpedTable& table, std::size_t section,
                                               const TableSchema& wanted,
                                               std::atomic<std::uint64_t>& unrepresentable) {
    const auto& rows = table.sections[section];
    std::vector<const postgres::ColumnDecoder*> decoders;
    std::vector<std::size_t> targets;
    for (const auto& column : rows.columns) {
        const auto place = table.table.columns.Find(column);
        decoders.push_back(place ? &table.decoders[*place] : nullptr);
        const auto target = place ? wanted.Find(column) : std::nullopt;
        targets.push_back(target.value_or(SectionReader::kNotWanted));
    }
    for (const auto& column : wanted.columns) {
        const auto found = std::find(rows.columns.begin(), rows.columns.end(), column.name);
        if (found != rows.columns.end()) continue;
        return UserError(fmt::format("{}: the rows from line {} on have no column {}", path,
                                     rows.begin.line, column.name));
    }
    if (contents->mark != BIWA_TRY(MarkOf(path))) {
        return Unavailable(fmt::format("{} is another file by now", path));
    }
    auto file = BIWA_TRY(LineFile::Open(path));
    BIWA_TRY(file.Seek(rows.begin));
    return std::make_unique<SectionReader>(std::move(file), std::move(contents), rows,
                                           std::move(decoders), std::move(targets),
                                           unrepresentable);
}

}  // namespace biwa::dump
