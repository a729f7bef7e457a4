import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { Component, lazy, Suspense, type ReactNode } from "react";
import { Link, Route, Switch } from "wouter";
import { ApiError } from "./api/client";
import { StatusProvider } from "./api/status_context";
import { DashboardPage } from "./dashboards/dashboard_page";
import { DashboardsPage } from "./dashboards/dashboards_page";
import { OverviewPage } from "./overview/overview_page";
import { EmptyState, Loading } from "./ui/parts";
import { PreferencesProvider, usePreferences } from "./ui/preferences";
import { Shell } from "./ui/shell";

const QueryPage = lazy(() => import("./query/query_page"));
const ModelsPage = lazy(() => import("./models/models_page"));
const ModelPage = lazy(() => import("./models/model_page"));

const client = new QueryClient({
  defaultOptions: {
    queries: {
      // What the server answered, it would answer again; only what did not arrive is worth a retry.
      retry: (failures, error) => !(error instanceof ApiError) && failures < 2,
      staleTime: 10_000,
    },
  },
});

function NotFound() {
  const { t } = usePreferences();
  return (
    <EmptyState title={t("not_found")} next="">
      <Link href="/">{t("not_found_next")}</Link>
    </EmptyState>
  );
}

function Fault() {
  const { t } = usePreferences();
  return (
    <EmptyState title={t("page_failed")} next={t("page_failed_next")}>
      <button type="button" onClick={() => location.reload()}>
        {t("reload")}
      </button>
    </EmptyState>
  );
}

class FaultBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? <Fault /> : this.props.children;
  }
}

export function App() {
  return (
    <PreferencesProvider>
      <QueryClientProvider client={client}>
        <StatusProvider>
          <Shell>
            <FaultBoundary>
              <Suspense fallback={<Loading />}>
                <Switch>
                  <Route path="/" component={OverviewPage} />
                  <Route path="/query" component={QueryPage} />
                  <Route path="/models" component={ModelsPage} />
                  <Route path="/models/:name">
                    {({ name }) => <ModelPage key={name} name={decodeURIComponent(name)} />}
                  </Route>
                  <Route path="/dashboards" component={DashboardsPage} />
                  <Route path="/dashboards/:name">
                    {({ name }) => <DashboardPage key={name} name={decodeURIComponent(name)} />}
                  </Route>
                  <Route component={NotFound} />
                </Switch>
              </Suspense>
            </FaultBoundary>
          </Shell>
        </StatusProvider>
      </QueryClientProvider>
    </PreferencesProvider>
  );
}
