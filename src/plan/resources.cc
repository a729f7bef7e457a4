#include "plan/resources.h"

#include <fmt/format.h>

#include "base/text.h"

namespace biwa {

namespace {

std::string NameOf(TileConfig::Kind kind) {
    switch (kind) {
        case TileConfig::Kind::kCounter:
            return "counter";
        case TileConfig::Kind::kLine:
            return "line";
        case TileConfig::Kind::kBar:
            return "bar";
        case TileConfig::Kind::kTable:
            return "table";
    }
    return "";
}

std::string TileText(const TileConfig& tile) {
    std::string text = fmt::format("{}, {} x {}", NameOf(tile.kind), tile.width, tile.height);
    if (!tile.x.empty()) text += "\nx: " + tile.x;
    if (!tile.y.empty()) text += "\ny: " + Join(tile.y, ", ");
    if (!tile.series.empty()) text += "\nseries: " + tile.series;
    if (!tile.unit.empty()) text += "\nunit: " + tile.unit;
    if (!tile.description.empty()) text += "\n" + tile.description;
    return text + "\n" + tile.sql;
}

void Put(Resource& resource, const std::string& field, const std::string& value) {
    if (!value.empty()) resource.fields[field] = value;
}

}  // namespace

std::vector<Resource> ProjectResources(const Project& project) {
    std::vector<Resource> resources;
    for (const auto& [name, connection] : project.connections) {
        Resource resource{"connection", name, {}, {}};
        for (const auto& [setting, value] : connection.settings) Put(resource, setting, value);
        Put(resource, "kind", connection.kind);
        resources.push_back(std::move(resource));
    }
    for (const auto& [name, stream] : project.streams) {
        Resource resource{"stream", name, {}, {"connection " + stream.connection}};
        Put(resource, "connection", stream.connection);
        Put(resource, "dataset", stream.dataset);
        Put(resource, "tables", Join(stream.tables, ", "));
        Put(resource, "exclude", Join(stream.exclude, ", "));
        for (const auto& [table, part] : stream.only) {
            Put(resource, std::string(kOnlyField) + table, part.ToString());
        }
        Put(resource, "history", Join(stream.history, ", "));
        for (const auto& mask : stream.masks) {
            Put(resource, std::string(kMaskField) + mask.columns, ToString(mask.mask));
        }
        for (const auto& [columns, location] : stream.clear) {
            Put(resource, std::string(kMaskField) + columns, "clear");
        }
        Put(resource, "mask", stream.mask_by_default ? "by_default" : "");
        Put(resource, "mask_key", stream.mask_key);
        // What is as it is by itself is no field: it would be news to streams applied before.
        const StreamConfig usual;
        if (stream.wal_warn_bytes != usual.wal_warn_bytes) {
            Put(resource, "wal_guard warn", fmt::format("{} B", stream.wal_warn_bytes));
        }
        if (stream.wal_stop_bytes != usual.wal_stop_bytes) {
            Put(resource, "wal_guard stop, dropping the slot",
                fmt::format("{} B", stream.wal_stop_bytes));
        }
        if (stream.reconcile_every.count() > 0) {
            resource.fields["reconcile.every"] =
                fmt::format("{}s", stream.reconcile_every.count() / 1000);
            if (stream.reconcile_repairs) resource.fields["reconcile.repair"] = "true";
        }
        if (stream.discover_every != usual.discover_every) {
            resource.fields["discover_every"] = fmt::format("{}ms", stream.discover_every.count());
        }
        if (stream.recopy_when_lost) resource.fields["when_lost"] = "recopy";
        if (stream.texts) {
            resource.fields["texts"] =
                *stream.texts == TextStorage::kPlain ? "plain" : "compressed";
        }
        resources.push_back(std::move(resource));
    }
    for (const auto& [name, dashboard] : project.dashboards) {
        Resource resource{"dashboard", name, {}, {}};
        Put(resource, "title", dashboard.title);
        Put(resource, "description", dashboard.description);
        Put(resource, "refresh", fmt::format("{}ms", dashboard.refresh.count()));
        int number = 0;
        for (const auto& tile : dashboard.tiles) {
            Put(resource, fmt::format("tile {:02} {}", ++number, tile.title), TileText(tile));
        }
        resources.push_back(std::move(resource));
    }
    return resources;
}

}  // namespace biwa
