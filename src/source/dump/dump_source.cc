#include "source/dump/dump_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <mutex>
#include <thread>

#include "base/text.h"
#include "source/dump/dump_rows.h"
#include "source/postgres/catalog.h"

namespace biwa {

namespace {

using dump::Contents;
using dump::DumpedTable;

// All that happened had happened when the file was made.
Position OnlyPosition() { return {1, "the file"}; }

// The file, read again when it is another one. From any thread.
class DumpFile {
  public:
    DumpFile(std::string path, std::string columns)
        : path_(std::move(path)), columns_(std::move(columns)) {}

    const std::string& path() const { return path_; }

    // kUnavailable when there is none. One that cannot be understood is kUser, and not read again
    // until it is another one.
    Result<std::shared_ptr<const Contents>> Read() {
        const auto mark = BIWA_TRY(dump::MarkOf(path_));
        std::lock_guard lock(mutex_);
        if (last_ && last_->mark == mark) return last_;
        if (refused_ && refused_mark_ == mark) return tl::unexpected(*refused_);
        auto read = dump::ReadContents(path_, columns_);
        if (read) {
            last_ = *read;
            refused_.reset();
            failures_.clear();
        } else if (read.error().kind == ErrorKind::kUser) {
            refused_ = read.error();
            refused_mark_ = mark;
        }
        return read;
    }

    // The last that was understood; null when none was.
    std::shared_ptr<const Contents> last() const {
        std::lock_guard lock(mutex_);
        return last_;
    }

    // What went wrong in a part of the file as it is now: to read it again would find the same.
    std::optional<Error> Failure(const std::string& range) const {
        std::lock_guard lock(mutex_);
        const auto found = failures_.find(range);
        return found == failures_.end() ? std::nullopt : std::optional(found->second);
    }
    void NoteFailure(const std::string& range, const Error& error) {
        std::lock_guard lock(mutex_);
        failures_[range] = error;
    }

  private:
    const std::string path_;
    const std::string columns_;
    mutable std::mutex mutex_;
    std::shared_ptr<const Contents> last_;
    std::optional<Error> refused_;
    dump::FileMark refused_mark_;
    std::map<std::string, Error> failures_;  // by the range, which has the file's mark in it
};

// Notes what fails for good.
class NotingReader final : public RowReader {
  public:
    NotingReader(std::unique_ptr<RowReader> rows, std::shared_ptr<DumpFile> file, std::string range)
        : rows_(std::move(rows)), file_(std::move(file)), range_(std::move(range)) {}
    Result<std::size_t> Fill(RowBlock& block) override {
        auto filled = rows_->Fill(block);
        if (!filled && filled.error().kind == ErrorKind::kUser) {
            file_->NoteFailure(range_, filled.error());
        }
        return filled;
    }

  private:
    const std::unique_ptr<RowReader> rows_;
    const std::shared_ptr<DumpFile> file_;
    const std::string range_;
};

const DumpedTable* Find(const Contents& contents, const SourceTable& table) {
    for (const auto& one : contents.tables) {
        if (one.table.ToString() == table.ToString()) return &one;
    }
    return nullptr;
}

// A range is one section, "3@MARK": all of it comes in one transaction.
class DumpSnapshot final : public SnapshotReader {
  public:
    explicit DumpSnapshot(std::shared_ptr<DumpFile> file) : file_(std::move(file)) {}

    Result<std::vector<SnapshotRange>> Split(const SourceTable& table) override {
        const auto contents = BIWA_TRY(file_->Read());
        const auto* dumped = Find(*contents, table);
        std::vector<SnapshotRange> ranges;
        for (std::size_t i = 0; dumped != nullptr && i < dumped->sections.size(); ++i) {
            ranges.push_back(
                {fmt::format("{}:{}@{}", table.ToString(), i, contents->mark.ToString()),
                 dumped->sections[i].rows});
        }
        if (ranges.empty()) return Gone(table);
        return ranges;
    }

    Result<std::unique_ptr<RowReader>> Read(const SourceTable& table,
                                            const SnapshotRange& range) override {
        if (auto failure = file_->Failure(range.text)) return tl::unexpected(std::move(*failure));
        const auto contents = BIWA_TRY(file_->Read());
        const auto* dumped = Find(*contents, table);
        const auto number = SectionOf(range.text);
        if (dumped == nullptr || number >= dumped->sections.size() || !IsOf(range, *contents)) {
            return Gone(table);
        }
        return std::make_unique<NotingReader>(
            BIWA_TRY(dump::ReadSection(file_->path(), contents, *dumped, number, table.columns,
                                       unrepresentable_)),
            file_, range.text);
    }

    Result<bool> AreCurrent(const SourceTable&, const std::vector<SnapshotRange>& ranges) override {
        const auto contents = BIWA_TRY(file_->Read());
        return std::all_of(ranges.begin(), ranges.end(),
                           [&](const SnapshotRange& range) { return IsOf(range, *contents); });
    }

    std::uint64_t unrepresentable() const override { return unrepresentable_; }

  private:
    static std::size_t SectionOf(const std::string& range) {
        const auto at = range.rfind('@');
        const auto colon = range.rfind(':', at);
        std::size_t number = ~std::size_t{0};
        if (colon == std::string::npos) return number;
        std::from_chars(range.data() + colon + 1, range.data() + range.size(), number);
        return number;
    }
    static bool IsOf(const SnapshotRange& range, const Contents& contents) {
        return range.text.ends_with("@" + contents.mark.ToString());
    }
    tl::unexpected<Error> Gone(const SourceTable& table) const {
        return Unavailable(
            fmt::format("{} is another file by now, and {} is to be looked for in it",
                        file_->path(), table.ToString()));
    }

    const std::shared_ptr<DumpFile> file_;
    std::atomic<std::uint64_t> unrepresentable_ = 0;
};

// None, ever.
class NoChanges final : public ChangeSource {
  public:
    Result<std::optional<ChangeBatch>> Poll(const Position&,
                                            std::chrono::milliseconds timeout) override {
        std::this_thread::sleep_for(timeout);
        return std::nullopt;
    }
    Status Acknowledge(const Position&) override { return {}; }
    std::uint64_t unrepresentable() const override { return 0; }
};

class DumpStreamSource final : public StreamSource {
  public:
    DumpStreamSource(std::shared_ptr<DumpFile> file, TableParts only)
        : file_(std::move(file)), only_(std::move(only)) {}

    Result<std::vector<SourceTable>> Tables(const std::vector<std::string>& patterns,
                                            IfMissing if_missing) override {
        const auto read = file_->Read();
        if (!read && if_missing == IfMissing::kRefuse) return tl::unexpected(read.error());
        // What was copied of a file that is gone stays.
        if (!read && read.error().kind == ErrorKind::kUnavailable)
            return std::vector<SourceTable>();
        const auto contents = read ? *read : file_->last();
        if (!contents) return Unavailable(read.error().message, read.error().hint);
        std::vector<SourceTable> tables;
        std::vector<std::string> names;
        for (const auto& one : contents->tables) {
            auto table = one.table;
            if (!read) {
                table.refusal = "cannot be read: " + read.error().message;
                table.mend_sql = read.error().hint;
            }
            names.push_back(table.ToString());
            const bool is_wanted =
                std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
                    return postgres::MatchesPattern(pattern, table.schema, table.name);
                });
            if (is_wanted) tables.push_back(Part(table));
        }
        for (const auto& pattern : patterns) {
            const bool is_found =
                if_missing == IfMissing::kPassOver ||
                std::any_of(tables.begin(), tables.end(), [&](const SourceTable& table) {
                    return postgres::MatchesPattern(pattern, table.schema, table.name);
                });
            if (is_found) continue;
            const auto meant = DidYouMean(pattern, names);
            return UserError(fmt::format("{} has no table \"{}\"", file_->path(), pattern),
                             meant.empty() ? fmt::format("It has {}.", fmt::join(names, ", "))
                                           : fmt::format("Did you mean \"{}\"?", meant));
        }
        return tables;
    }

    Status CheckStart() override {
        BIWA_TRY(file_->Read());
        return {};
    }
    Result<StreamStart> Start(const std::vector<SourceTable>&, bool) override {
        const auto contents = BIWA_TRY(file_->Read());
        StreamStart start;
        start.position = OnlyPosition();
        start.snapshot = std::make_unique<DumpSnapshot>(file_);
        start.time = contents->mark.changed_us;
        return start;
    }
    Status Publish(const std::vector<SourceTable>&, const std::set<std::string>&) override {
        return {};
    }
    Result<std::unique_ptr<SnapshotReader>> ResumeSnapshot() override {
        return std::make_unique<DumpSnapshot>(file_);
    }
    Result<std::string> CheckHistory(const std::string&, const Position&) override {
        return std::string();
    }
    Result<std::unique_ptr<ChangeSource>> Follow(const std::vector<FollowedTable>&, const Position&,
                                                 std::chrono::milliseconds) override {
        return std::make_unique<NoChanges>();
    }
    Result<std::unique_ptr<RowReader>> ReadRows(
        const SourceTable& table, const std::vector<std::vector<std::string>>&) override {
        return NoKeys(table);
    }
    Result<std::unique_ptr<RowReader>> ReadKeys(const SourceTable& table,
                                                const KeyRange&) override {
        return NoKeys(table);
    }
    Result<Position> Head() override { return OnlyPosition(); }
    Result<SourceProgress> Progress() override { return SourceProgress{OnlyPosition()}; }
    Status Remove() override { return {}; }

  private:
    static tl::unexpected<Error> NoKeys(const SourceTable& table) {
        return UserError(fmt::format("{} is of a file, in which rows cannot be looked for by their "
                                     "keys",
                                     table.ToString()),
                         "`biwa stream recopy` reads all of it anew.");
    }

    // What of the table the stream is to have.
    SourceTable Part(SourceTable table) const {
        const auto part = only_.find(table.ToString());
        if (part == only_.end() || !table.refusal.empty()) return table;
        const auto& wanted = part->second.columns;
        for (const auto& name : wanted) {
            if (table.columns.Find(name)) continue;
            table.refusal = fmt::format("has no column \"{}\", which `only` names", name);
            const auto names = table.columns.ColumnNames();
            const auto meant = DidYouMean(name, names);
            if (!meant.empty()) table.mend_sql = fmt::format("did you mean \"{}\"?", meant);
            return table;
        }
        table.part = part->second;
        if (wanted.empty()) return table;
        std::vector<std::string> key;
        for (const auto i : table.columns.key) key.push_back(table.columns.columns[i].name);
        std::erase_if(table.columns.columns, [&](const Column& column) {
            return std::find(wanted.begin(), wanted.end(), column.name) == wanted.end();
        });
        table.columns.key.clear();
        for (const auto& name : key) {
            if (const auto place = table.columns.Find(name)) {
                table.columns.key.push_back(*place);
            } else if (!table.columns.key_repeats) {
                table.refusal =
                    fmt::format("has column {} in its key, which `only` leaves out", name);
                table.mend_sql = fmt::format("add {} to its columns in `only`", name);
            }
        }
        return table;
    }

    const std::shared_ptr<DumpFile> file_;
    const TableParts only_;
};

class DumpSource final : public Source {
  public:
    explicit DumpSource(std::shared_ptr<DumpFile> file) : file_(std::move(file)) {}

    Result<std::unique_ptr<StreamSource>> OpenStream(const std::string&,
                                                     const TableParts& only) override {
        BIWA_TRY(CheckParts(only));
        return std::make_unique<DumpStreamSource>(file_, only);
    }

    Result<std::vector<Finding>> Examine(const StreamToExamine& stream) override {
        std::vector<Finding> findings;
        const auto problem = [&](const Error& error) {
            findings.push_back({Finding::Level::kProblem, error.message,
                                "without it nothing can be copied", error.hint});
            return findings;
        };
        const auto contents = file_->Read();
        if (!contents) return problem(contents.error());
        findings.push_back({Finding::Level::kGood,
                            fmt::format("{} is whole, tables in it: {}", file_->path(),
                                        (*contents)->tables.size()),
                            "", ""});
        const auto source = BIWA_TRY(OpenStream(stream.name, stream.only));
        const auto wanted = source->Tables(stream.tables, IfMissing::kRefuse);
        if (!wanted) return problem(wanted.error());
        for (const auto& table : *wanted) {
            if (table.refusal.empty() || stream.is_excluded(table)) continue;
            findings.push_back({Finding::Level::kWarning,
                                fmt::format("table {} {}", table.ToString(), table.refusal),
                                "it is left out", table.mend_sql});
        }
        return findings;
    }

  private:
    // Conditions are in the language of a server, and there is none.
    static Status CheckParts(const TableParts& only) {
        for (const auto& [table, part] : only) {
            if (part.where.empty()) continue;
            return UserError(
                fmt::format("only: rows of {} cannot be chosen: a file has no server that would "
                            "understand `where`",
                            table),
                "Name columns only, and let a model choose the rows.");
        }
        return {};
    }

    const std::shared_ptr<DumpFile> file_;
};

}  // namespace

void RegisterDumpSource(SourceRegistry& sources) {
    sources.Add(
        "dump",
        {.description = "A file of rows: a plain dump of pg_dump, or a CSV.",
         .settings =
             {{.name = "path",
               .type = SettingType::kPath,
               .description =
                   "The file, also compressed by gzip. One that is called .csv or .csv.gz is a "
                   "table of that name, whose first line has the names of its columns; any other "
                   "is what pg_dump writes without --format, --inserts and --data-only.",
               .required = true},
              {.name = "columns",
               .description = "Of CSV: what its columns are, as in CREATE TABLE (`id bigint, at "
                              "timestamptz, PRIMARY KEY (id)`). Those that are left out are "
                              "text."}},
         .open = [](const SettingValues& values) -> Result<std::unique_ptr<Source>> {
             const auto value = [&](const char* name) {
                 const auto found = values.find(name);
                 return found == values.end() ? std::string() : found->second;
             };
             return std::make_unique<DumpSource>(
                 std::make_shared<DumpFile>(value("path"), value("columns")));
         },
         .parse_url = nullptr,
         .usual_schema = nullptr});
}

}  // namespace biwa
