// For tests and fuzzers of the binary log: tables that are whatever their table map says, and
// captured events (fuzz/binlog_seeds: each with four bytes of length in front).
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "source/mysql/binlog_decoder.h"
#include "source/mysql/byte_reader.h"

namespace biwa::mysql {

// Every table is of the stream; its first column is the key. What has no name is called "c1" and so
// on; text is UTF-8 unless the log says otherwise, when it is taken for latin1.
class AnyTable final : public TableResolver {
  public:
    const KnownTable* Find(const std::string& schema, const std::string& table) const override {
        auto& followed = followed_[schema + "." + table];
        if (!followed.columns) {
            TableSchema columns;
            columns.columns.push_back({"id", {TypeId::kInt32}, false, "", {}});
            columns.key = {0};
            followed.columns = std::make_shared<const TableSchema>(std::move(columns));
            followed.seen = seen;
        }
        return &followed;
    }
    std::vector<std::string> TablesOf(const std::string&) const override { return {}; }
    std::vector<std::string> SchemasOf(const std::string&) const override { return {"app"}; }

    Result<std::optional<ResolvedTable>> Resolve(const TableMap& map) override {
        ResolvedTable resolved;
        TableSchema columns;
        for (const auto& mapped : map.columns) {
            ColumnInfo info;
            info.name =
                map.has_names ? mapped.name : "c" + std::to_string(columns.columns.size() + 1);
            info.type = mapped.type;
            info.meta = mapped.meta;
            info.is_unsigned = mapped.is_unsigned.value_or(false);
            info.values = mapped.values;
            if (mapped.collation && *mapped.collation != 63) {
                info.characters = *mapped.collation == 8 ? Latin1() : Utf8();
            }
            auto decoder = DecoderFor(std::move(info));
            if (decoder.binlog == nullptr) return std::optional<ResolvedTable>();
            resolved.places.push_back(columns.columns.size());
            columns.columns.push_back({decoder.info.name, decoder.type, true, decoder.note, {}});
            resolved.decoders.push_back(std::move(decoder));
        }
        if (columns.columns.empty()) return std::optional<ResolvedTable>();
        columns.key = {0};
        resolved.key = {0};
        resolved.is_key.assign(columns.columns.size(), false);
        resolved.is_key[0] = true;
        resolved.columns = std::make_shared<const TableSchema>(std::move(columns));
        return std::optional<ResolvedTable>(std::move(resolved));
    }
    Result<std::string> ToUtf8(std::uint16_t collation, std::string_view text) override {
        std::string utf8(text);
        if (collation == 8) mysql::ToUtf8(*Latin1(), text, utf8);
        return utf8;
    }
    void Forget(const TableEffect&) override {}
    bool MayHaveMisread(const TableEffect&, std::int64_t) const override { return false; }
    void Note(std::int64_t, PlaceNotes&) const override {}
    void Recall(const PlaceNotes&) override {}
    Result<const Defaults*> DefaultsOf(const TableMap&, const ResolvedTable& resolved) override {
        // NULL, for all of them.
        auto& defaults = *defaults_.emplace_back(std::make_unique<Defaults>());
        defaults.row = RowStore(resolved.columns->columns);
        defaults.row.AddRow();
        for (std::size_t i = 0; i < defaults.row.column_count(); ++i) {
            defaults.row.cells(i).SetNull(0);
            defaults.known.push_back(true);
        }
        return &defaults;
    }

    // For tables that are met from now on.
    std::uint64_t seen = 0;

    static std::shared_ptr<const CharacterSet> Utf8() {
        return std::make_shared<const CharacterSet>(
            CharacterSet{"utf8mb4", CharacterSet::Form::kUtf8, {}, {}});
    }
    static std::shared_ptr<const CharacterSet> Latin1() {
        auto set = std::make_shared<CharacterSet>();
        set->name = "latin1";
        set->form = CharacterSet::Form::kTable;
        for (std::size_t code = 0; code < 256; ++code) {
            set->single[code] = code < 0x80 ? std::string(1, static_cast<char>(code)) : "?";
        }
        set->single[0xe9] = "é";
        set->single[0x80] = "€";
        return set;
    }

  private:
    mutable std::map<std::string, KnownTable> followed_;
    std::vector<std::unique_ptr<Defaults>> defaults_;
};

// Takes the next of the captured events; empty when there is no more.
inline std::string_view TakeEvent(std::string_view& captured) {
    if (captured.size() < 4) return {};
    const auto size = LoadLittleEndian(captured.data(), 4);
    const auto event = captured.substr(4, size);
    captured.remove_prefix(4 + event.size());
    return event;
}

// An event, and those that it holds.
inline Status DecodeWhole(BinlogDecoder& decoder, std::string_view event) {
    BIWA_TRY(decoder.Decode(event));
    while (decoder.has_more()) BIWA_TRY(decoder.DecodeMore());
    return {};
}

}  // namespace biwa::mysql
