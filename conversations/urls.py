"""Paths of conversations, below /api/v1."""

from django.urls import path

from conversations import views

urlpatterns = [
    path("conversations", views.ConversationsView.as_view()),
    path("conversations/<uuid:conversation_id>", views.ConversationView.as_view()),
    path("conversations/<uuid:conversation_id>/events", views.EventsView.as_view()),
    path("conversations/<uuid:conversation_id>/me", views.MyPlaceView.as_view()),
    path("conversations/<uuid:conversation_id>/participants", views.ParticipantsView.as_view()),
    path("conversations/<uuid:conversation_id>/participants/<uuid:user_id>", views.ParticipantView.as_view()),
    path("sync", views.SyncView.as_view()),
]
