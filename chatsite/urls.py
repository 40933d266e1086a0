"""Every address of the server except the socket."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerView
from rest_framework.renderers import JSONRenderer, TemplateHTMLRenderer

from chatsite import health, views
from notifications import views as notifications

api: list[URLPattern | URLResolver] = [
    path("", include("accounts.urls")),
    path("", include("conversations.urls")),
    path("", include("messaging.urls")),
    path("", include("presence.urls")),
    path("", include("notifications.urls")),
    path("limits", views.LimitsView.as_view()),
    path("schema", SpectacularJSONAPIView.as_view(renderer_classes=[JSONRenderer]), name="schema"),
    path(
        "schema/try",
        SpectacularSwaggerView.as_view(url_name="schema", renderer_classes=[TemplateHTMLRenderer]),
    ),
]

urlpatterns = [
    path("api/v1/", include(api)),
    path("admin/", admin.site.urls),
    path("unsubscribe/<str:token>", notifications.unsubscribe),
    path("health", health.health),
    path("health/ready", health.ready),
    path("favicon.ico", views.favicon),
    path("service-worker.js", views.service_worker),
    path("", views.web_client),
]

handler400 = views.bad_request
handler404 = views.unknown_address
handler500 = views.server_error
