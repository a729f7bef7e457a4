// The tables of one stream: their columns by the table maps of the binary log and, for what those
// do not say, by the server's catalogue.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "source/mysql/binlog_decoder.h"
#include "source/mysql/catalog.h"
#include "source/mysql/connection.h"

namespace biwa::mysql {

class StreamResolver final : public TableResolver {
  public:
    StreamResolver(ConnectionParameters parameters, const std::vector<FollowedTable>& tables);

    const KnownTable* Find(const std::string& schema, const std::string& table) const override;
    std::vector<std::string> TablesOf(const std::string& schema) const override;
    std::vector<std::string> SchemasOf(const std::string& table) const override;
    Status Spell(TableEffect& effect) override;
    Status SpellColumns(TableEffect& effect) override;
    Result<TableNames> ReachedBy(const Statement& statement) override;
    void ForgetPrograms() override { has_program_.clear(); }
    Result<std::string> ToUtf8(std::uint16_t collation, std::string_view text) override;
    Result<std::optional<ResolvedTable>> Resolve(const TableMap& map) override;
    void Forget(const TableEffect& effect) override;
    bool MayHaveMisread(const TableEffect& effect, std::int64_t altered_s) const override;
    Result<const Defaults*> DefaultsOf(const TableMap& map, const ResolvedTable& resolved) override;
    void Note(std::int64_t time_s, PlaceNotes& notes) const override;
    void Recall(const PlaceNotes& notes) override;
    // A connection for questions, kept open; opened anew when it broke.
    Result<const Connection*> Asking();

  private:
    struct Known {
        std::string schema, name;
        KnownTable followed;
        // As the catalogue has it now; nothing when that was not asked since it may have changed.
        std::optional<CatalogTable> catalog;
        std::int64_t asked_s = 0;  // when it was, by the server's clock
        // When it was asked for what changes mean that are not known to be from after an ALTER.
        std::optional<std::int64_t> trusted_s;
        // The same, of what rows got that were there when a column came.
        std::optional<std::int64_t> filled_s;
        // Columns (in small letters) that came since its last change, and those of them whose
        // default may be another by now than the rows got that were there.
        std::set<std::string> added, altered;
        std::unique_ptr<Defaults> defaults;
    };

    // The catalogue's table; one without columns when it is gone.
    Status AskCatalog(Known& known);
    Result<std::vector<ColumnInfo>> ColumnsByName(const TableMap& map, Known& known);
    Result<std::vector<ColumnInfo>> ColumnsByPlace(const TableMap& map, Known& known);
    static bool FitsCatalog(const TableMap& map, const Known& known);
    static void FindKey(const TableMap& map, const Known& known, TableSchema& schema,
                        ResolvedTable& resolved);
    Result<ColumnInfo> InfoOf(const MappedColumn& mapped, const CatalogColumn* column);
    // Into known.defaults.
    Status ReadDefaults(const TableMap& map, const ResolvedTable& resolved, Known& known);
    // As the table has it; as it is where that is not known.
    Result<std::string> ColumnOf(const std::string& written, const TableSchema& columns);
    // Fills has_program_ for these.
    Status LookForPrograms(const std::set<std::string>& names);

    const ConnectionParameters parameters_;
    std::map<std::string, Known> tables_;  // by "schema.table"
    // By name in small letters: whether there is a view, a function, or a table with a trigger.
    std::map<std::string, bool> has_program_;
    std::optional<bool> names_have_case_;  // nothing until it was asked
    CharacterSets sets_;
    std::optional<Connection> asking_;
};

}  // namespace biwa::mysql
