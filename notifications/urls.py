"""Paths of devices, preferences, the list in the app and traces, below /api/v1."""

from django.urls import path

from notifications import views

urlpatterns = [
    path("device-tokens", views.DevicesView.as_view()),
    path("device-tokens/<path:device_token>", views.DeviceView.as_view()),
    path("notifications", views.NotificationsView.as_view()),
    path("notifications/read", views.NotificationsReadView.as_view()),
    path("notifications/preferences", views.PreferencesView.as_view()),
    path("notifications/vapid-key", views.VapidKeyView.as_view()),
    path("messages/<uuid:message_id>/trace", views.TraceView.as_view()),
]
