"""Paths of presence, below /api/v1."""

from django.urls import path

from presence import views

urlpatterns = [
    path("presence", views.PresenceView.as_view()),
    path("users/status", views.StatusView.as_view()),
    path("users/<uuid:user_id>/profile", views.ProfileView.as_view()),
]
