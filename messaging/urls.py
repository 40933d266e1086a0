"""Paths of messages and receipts, below /api/v1."""

from django.urls import path

from messaging import views

urlpatterns = [
    path("conversations/<uuid:conversation_id>/messages", views.HistoryView.as_view()),
    path("messages", views.MessagesView.as_view()),
    path("messages/<uuid:message_id>", views.MessageView.as_view()),
    path("messages/<uuid:message_id>/read", views.ReadView.as_view()),
    path("messages/<uuid:message_id>/delivered", views.DeliveredView.as_view()),
    path("messages/<uuid:message_id>/receipts", views.ReceiptsView.as_view()),
]
