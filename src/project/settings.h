// Every project file, described as data.
#pragma once

#include <string>
#include <vector>

#include "model/setting.h"

namespace biwa {

std::vector<Setting> BiwaSettings();          // biwa.yaml
std::vector<Setting> WorkflowSettings();      // workflow_settings.yaml, Dataform's
std::vector<Setting> DataformJsonSettings();  // dataform.json, as Dataform had it before
std::vector<Setting> StreamSettings();        // streams/*.yaml
std::vector<Setting> DashboardSettings();     // dashboards/*.yaml
// connections/*.yaml of a kind: `kind` and the kind's own.
std::vector<Setting> ConnectionSettings(const std::string& kind, const std::vector<Setting>& own);

}  // namespace biwa
