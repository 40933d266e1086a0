"""Paths of people and sessions, below /api/v1."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("auth/register", views.RegisterView.as_view()),
    path("auth/login", views.LoginView.as_view()),
    path("auth/logout", views.LogoutView.as_view()),
    path("auth/sessions", views.SessionsView.as_view()),
    path("auth/sessions/<uuid:session_id>", views.SessionView.as_view()),
    path("users", views.UsersView.as_view()),
    path("users/me", views.MeView.as_view()),
    path("users/block", views.BlocksView.as_view()),
    path("users/block/<uuid:user_id>", views.BlockView.as_view()),
    path("users/search", views.UserSearchView.as_view()),
]
